"""A run as a file that needs neither torch nor rnncls: ONNX, a folder, a page.

Modules that other rooms use: `onnx_file`, `verification`, `folder`, `quantization`,
`script_source`, `test_vectors`, `page.page_export`.
"""
