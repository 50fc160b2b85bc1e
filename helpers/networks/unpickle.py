"""Read the tensors of a file that holds more than tensors, and run nothing of it.

``torch.save(model)`` pickles a whole network: whoever reads it back imports the classes and
functions that the file names, and calls them, so such a file can do anything. Here a name is
looked up in a short list of harmless functions; of the modules named by the caller only the names
of classes are taken, for an object without code; anything else is refused. It works for torch's
zip container and for the one before 2020, which ``weights_only=True`` never reads with a module
in it.
"""

from __future__ import annotations

import pickle
import types
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from helpers.errors import CourseError
from helpers.networks import weights

# What tensors and their containers are made of. They build, and call nothing that they are given.
HARMLESS = {
    ("collections", "OrderedDict"), ("builtins", "set"), ("__builtin__", "set"),
    ("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_parameter"),
}  # fmt: skip


class Hollow(dict):
    """Stands for an object of any class: it holds what the object held, and has none of its code.

    A mapping, so that what it holds is found like what is in a dictionary.
    """

    def __init__(self, *_: object) -> None:
        super().__init__()

    def __setstate__(self, state: object) -> None:
        if isinstance(state, Mapping):
            self.update(state)


def reader(modules: Iterable[str]) -> types.SimpleNamespace:
    """Return what ``torch.load`` takes as its `pickle_module`.

    Parameters
    ----------
    modules : beginnings of the names of modules, such as ``"torch.nn."``, whose classes become
        `Hollow` ones.
    """
    beginnings = tuple(modules)

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> object:
            if (module, name) in HARMLESS:
                return super().find_class(module, name)
            # torch may name a file after a class: so no name with a slash in it.
            if f"{module}.".startswith(beginnings) and name.isidentifier():
                return type(name, (Hollow,), {})
            raise CourseError(
                f"The file asks for {module}.{name}, which weights do not need and which could "
                "run code, so it was not read on. It is not the file as published: do not use "
                "it, and fetch that one from its owner."
            )

    return types.SimpleNamespace(
        Unpickler=Reader, load=lambda file, **options: Reader(file, **options).load(),
        __name__="reader",
    )  # fmt: skip


def tensors(path: Path | str, modules: Iterable[str] = (), inside: str = "") -> dict[str, Tensor]:
    """Return the tensors of a file by name, as `helpers.networks.weights.read` does.

    Those of a pickled module stand under ``_modules.NAME._parameters.weight`` and the like.

    Parameters
    ----------
    modules : see `reader`; none: plain tensors only, by ``weights_only=True``.
    inside : the name of the file when it may lie in a zip archive.

    Raises
    ------
    CourseError
        When the file is missing, damaged, or asks for anything that is not on the list.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the source code of a class cannot be compared
        return weights.read(path, reader=reader(modules) if modules else None, inside=inside)
