"""Export of trained networks to other runtimes: ``tools/export.py``."""

from .onnx_export import Exported, export_onnx, how_to_run

__all__ = ['Exported', 'export_onnx', 'how_to_run']
