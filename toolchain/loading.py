"""Finding the protocol that a user names: a built-in one, a class in a file, or a class in a package."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ..transpiler.diagnostics import CompileError, Span, caret_excerpt
from ..transpiler.naming import snake_case
from ..transpiler.traps import class_body_trap
from .errors import UserError, nearest

if TYPE_CHECKING:
    from ..transpiler.language import Protocol

BUILT_IN = "protocheck.protocols"

_NO_PROGRAM = """  why: the module ends the program while it is imported
  instead: put what only a program does under `if __name__ == "__main__":`"""


def load_protocol(target: str, folder: str | Path = "") -> type[Protocol]:
    """The class that `target` names; files and modules are looked for from `folder`, "" for the working directory.

    `rollback` (a built-in protocol), `path/to/mine.py:MyProtocol`, `mine.py` with a single protocol, or
    `package.module:MyProtocol`. Raises `UserError` where there is none, with the nearest match, and where the user's
    own module cannot be imported, with the position of the fault in it.
    """
    place, colon, class_name = target.rpartition(":")
    if not colon:
        place, class_name = target, ""
    if place.endswith(".py") or os.sep in place:
        return _choose(_import_file(Path(folder, place)), class_name, place)
    if not colon and "." in place and os.path.isfile(place):
        raise UserError(f"{place} is no Python source file (*.py)")
    if colon or "." in place:
        return _choose(_import_module(place, target, folder), class_name, place)
    return _built_in(place)


def built_in_names() -> tuple[str, ...]:
    """The names of the built-in protocols."""
    package = importlib.import_module(BUILT_IN)
    files = (name for folder in package.__path__ for name in os.listdir(folder))
    return tuple(sorted(name[:-3] for name in files if name.endswith(".py") and not name.startswith("_")))


def _built_in(name: str) -> type[Protocol]:
    names = built_in_names()
    if name not in names:
        if os.path.isfile(f"{name}.py"):
            raise UserError(f"there is no built-in protocol {name}; did you mean {name}.py?")
        hint = (
            "a file is named with its ending (mine.py:MyProtocol), a module with its class (package.module:MyProtocol)"
        )
        raise UserError(f"there is no built-in protocol {name}{nearest(name, names)}\n{hint}")
    module = importlib.import_module(f"{BUILT_IN}.{name}")
    return next(found for found in protocols_in(module) if snake_case(found.__name__) == name)


def protocols_in(module: ModuleType) -> Iterator[type[Protocol]]:
    """The protocol classes that a module defines itself, in order."""
    from ..transpiler.language import Protocol

    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Protocol) and value.__module__ == module.__name__:
            yield value


def _choose(module: ModuleType, class_name: str, place: str) -> type[Protocol]:
    from ..transpiler.language import Protocol

    if class_name:
        found = getattr(module, class_name, None)
        if isinstance(found, type) and issubclass(found, Protocol) and found is not Protocol:
            return found
        names = [each.__name__ for each in protocols_in(module)]
        if found is not None:
            raise UserError(f"{class_name} in {place} is no protocol (a class that extends protocheck.Protocol)")
        raise UserError(f"{place} has no protocol {class_name}{nearest(class_name, names)}")
    classes = list(dict.fromkeys(protocols_in(module)))
    if len(classes) == 1:
        return classes[0]
    if not classes:
        raise UserError(f"{place} defines no protocol (a class that extends protocheck.Protocol)")
    names = [each.__name__ for each in classes]
    raise UserError(
        f"{place} defines several protocols: name one, as in {place}:{names[0]} (or {', '.join(names[1:])})"
    )


# ----------------------------------------------------------------------------------------------- importing modules


def _import_file(path: Path) -> ModuleType:
    # The functions of os.path answer where those of Path raise, at a name that is too long, say.
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder; name the file in it, as in {path}{os.sep}mine.py:MyProtocol")
    if not os.path.isfile(path):
        raise UserError(f"there is no file {path}{_near_file(path)}")
    if path.suffix != ".py":
        raise UserError(f"{path} is no Python source file (*.py)")
    path = path.resolve()
    name = path.stem if _is_free(path.stem, path) else f"protocheck_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and the search for source text look their module up here.
    sys.modules[name] = module
    try:
        # Like a script's: modules beside the file can be imported from it.
        with _importing_beside(str(path.parent)):
            spec.loader.exec_module(module)
    except CompileError:
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        _explain_trap(error)
        raise UserError(_describe(error, str(path))) from None
    return module


def _is_free(name: str, path: Path) -> bool:
    """Whether a file's own name may become its module's: no other module has it, loaded or not, a `queue` say."""
    if not name.isidentifier() or name in sys.modules:
        return False
    other = importlib.util.find_spec(name)
    return other is None or (other.origin is not None and Path(other.origin).resolve() == path)


def _import_module(name: str, target: str, folder: str | Path) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise UserError(f"{target} names no protocol; write mine.py:MyProtocol or package.module:MyProtocol")
    try:
        # A console script has its own folder first on the path, not the one a user stands in.
        with _importing_beside(os.path.abspath(folder)):
            return importlib.import_module(name)
    except CompileError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise UserError(f"there is no module {error.name}") from None
        raise UserError(_describe(error, "")) from None
    except (Exception, SystemExit) as error:
        _explain_trap(error)
        raise UserError(_describe(error, "")) from None


@contextmanager
def _importing_beside(folder: str) -> Iterator[None]:
    """What is in a folder is found first while a user's module is imported, and last from then on.

    A `queue.py` among the user's files must not stand in for the standard library's where a module of ours or of
    Python's is loaded later. What the user's module prints goes to standard error, since a report may be on the other.
    """
    sys.path.insert(0, folder)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        with suppress(ValueError):  # the user's module may have changed the path itself
            sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)


def _explain_trap(error: BaseException) -> None:
    """Raise `CompileError` where Python's message hides what a class body did wrong."""
    trap = class_body_trap(error) if isinstance(error, NameError) else None
    if trap is not None:
        raise CompileError([trap]) from None


def _near_file(path: Path) -> str:
    try:
        siblings = [entry.name for entry in path.parent.iterdir() if entry.suffix == ".py"]
    except OSError:
        return f"; there is no folder {path.parent}"
    return nearest(path.name, siblings) if len(siblings) <= 50 else ""


def _describe(error: BaseException, file: str) -> str:
    """An error in a user's module: where, what, and the line, without a frame of ours or of the import system's."""
    kind = type(error).__name__
    remedy = [_NO_PROGRAM] if isinstance(error, SystemExit) else []
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        column = error.offset or 1
        end = error.end_offset if error.end_lineno == error.lineno and error.end_offset else column + 1
        span = Span(error.filename, error.lineno, column, error.lineno, max(end, column + 1))
        return "\n".join([f"{span}: {kind}: {error.msg}", *caret_excerpt(span)])
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    if not frames:
        return f"{file or 'the module'} cannot be imported: {kind}: {error}"
    # The deepest frame of the user's own file if it is known, else of whatever it imports.
    frame = next((frame for frame in reversed(frames) if frame.filename == file), frames[-1])
    lineno = frame.lineno or 1
    column, end = (frame.colno or 0) + 1, (frame.end_colno or 0) + 1
    span = Span(frame.filename, lineno, column, frame.end_lineno or lineno, max(end, column + 1))
    return "\n".join([f"{span}: {kind}: {error}", *caret_excerpt(span), *remedy])


def _is_users(filename: str) -> bool:
    """Whether a frame is the user's: neither of the import system nor of this package's own folders."""
    packages = (sys.modules.get(name) for name in ("protocheck", "protocheck.transpiler", "protocheck.toolchain"))
    ours = [folder for package in packages if package is not None for folder in package.__path__]
    return not filename.startswith("<frozen ") and os.path.dirname(filename) not in ours
