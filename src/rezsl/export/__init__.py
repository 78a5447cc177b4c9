"""A trained model as one file of ONNX or of torch.export, which other programs run without rezsl."""

from rezsl.export._export import Exported, ExportFormat, Quantization, export_model

__all__ = ["ExportFormat", "Exported", "Quantization", "export_model"]
