"""Files of a new plug-in, with a method that can be trained and is to be replaced by the user's own."""

from .project import project_files, write_project

__all__ = ['project_files', 'write_project']
