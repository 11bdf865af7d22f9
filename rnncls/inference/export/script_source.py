"""The source of `predict.py`: two modules as one file."""

from pathlib import Path

from rnncls.machine.files import read_bytes

_IMPORT = b"from rnncls.inference.export.script_tokenizer import Tokenizer\n"
_END_OF_DOCSTRING = b'"""\n\n'


def build_script() -> bytes:
    """Return `predict.py`: the program with its tokenizer in place of the import."""
    folder = Path(__file__).parent
    program = read_bytes(folder / "predict_script.py")
    tokenizer = read_bytes(folder / "script_tokenizer.py")
    _, _, code = tokenizer.partition(_END_OF_DOCSTRING)
    before, _, after = program.partition(_IMPORT)
    return before + code + after
