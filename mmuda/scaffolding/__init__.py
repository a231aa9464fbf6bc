"""Files of a new plug-in: a method that trains as it is written, to be replaced by one's own."""

from .project import project_files, write_project

__all__ = ['project_files', 'write_project']
