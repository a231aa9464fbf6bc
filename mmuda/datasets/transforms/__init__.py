from .loading import LoadDomainAnnotations, LoadDomainImage

__all__ = ['LoadDomainAnnotations', 'LoadDomainImage']
