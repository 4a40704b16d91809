"""The weights that are shipped: written by training, read and checked against their checksums here.

The folder `weights` holds ``target.safetensors`` and ``drafter.safetensors`` in half precision, ``tokenizer.json``, and
``manifest.json``: the SHA-256 of each file, and what was measured when they were made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from tokenizers import Tokenizer

from ..drafters.block import BlockDrafter
from ..drafters.block_model import BlockModel
from ..quantization.kv import KV
from ..quantization.weights import Weights
from .files import sha256, write_atomically
from .model import Target, new_drafter_model, new_target
from .tokenizer import wrap_tokenizer

TARGET, DRAFTER, TOKENIZER, MANIFEST = "target.safetensors", "drafter.safetensors", "tokenizer.json", "manifest.json"
LARGEST = 8_000_000  # bytes, all files together
_HEAD = "lm_head.weight"  # the embeddings once more


class WeightsError(ValueError):
    """The demonstration's files are missing or are not those that were shipped."""


def shipped_folder() -> Traversable:
    """Where the installed weights are."""
    return resources.files(__package__) / "weights"


def load_target(folder: Traversable | None = None) -> Target:
    """The target in fp32, ready to generate: what `AutoModelForCausalLM.from_pretrained` would give. Nothing is
    downloaded.

    Raises WeightsError where a file is missing or its checksum differs.
    """
    target = new_target(seed=0)
    tensors = {name: tensor.float() for name, tensor in load(read_checked(TARGET, folder)).items()}
    tensors[_HEAD] = tensors["model.embed_tokens.weight"]
    target.load_state_dict(tensors)
    target.eval()
    return target


def load_drafter_model(folder: Traversable | None = None) -> BlockModel:
    """The block drafter's network in fp32. Raises as `load_target`."""
    model = new_drafter_model(seed=0)
    model.load_state_dict({name: tensor.float() for name, tensor in load(read_checked(DRAFTER, folder)).items()})
    return model.eval()


def load_block_drafter(*, weights: Weights | None = None, kv: KV | None = None) -> BlockDrafter:
    """The demonstration's drafter; `weights` and `kv` as `BlockDrafter` takes them. Raises as `load_target`."""
    return BlockDrafter(load_drafter_model(), weights=weights, kv=kv)


def load_tokenizer(folder: Traversable | None = None) -> Any:
    """The tokenizer of both. Raises as `load_target`."""
    return wrap_tokenizer(Tokenizer.from_str(read_checked(TOKENIZER, folder).decode()))


def read_manifest(folder: Traversable | None = None) -> dict[str, Any]:
    """``files``: name → SHA-256; ``measured``: name → what was measured when the weights were made."""
    manifest: dict[str, Any] = json.loads(_read(MANIFEST, folder or shipped_folder()))
    return manifest


def read_checked(name: str, folder: Traversable | None = None) -> bytes:
    """A file of the folder, if it is the one that the manifest names. Raises WeightsError."""
    folder = folder or shipped_folder()
    expected = read_manifest(folder).get("files", {}).get(name)
    if expected is None:
        raise WeightsError(f"{MANIFEST} in {folder} names no {name}: these weights were never published")
    content = _read(name, folder)
    if sha256(content) != expected:
        raise WeightsError(
            f"{name} in {folder} has the checksum {sha256(content)}, but {expected} was shipped: "
            "the file was changed or cut off; install the package again"
        )
    return content


def publish(
    folder: Path,
    *,
    target: Target | None = None,
    drafter: BlockModel | None = None,
    tokenizer: str | None = None,
    measured: Mapping[str, object] | None = None,
) -> int:
    """Write parts of the demonstration; those not given stay. Returns the bytes of all files.

    The manifest is written last: after an interrupt in between it does not match, and nothing is loaded. Raises
    WeightsError for more than 8 MB.
    """
    parts: dict[str, bytes] = {}
    if target is not None:
        state = {name: tensor for name, tensor in target.state_dict().items() if name != _HEAD}
        parts[TARGET] = save(_halved(state))
    if drafter is not None:
        parts[DRAFTER] = save(_halved(drafter.state_dict()))
    if tokenizer is not None:
        parts[TOKENIZER] = tokenizer.encode()
    manifest = read_manifest(folder) if (folder / MANIFEST).exists() else {"files": {}, "measured": {}}
    kept = {name: (folder / name).stat().st_size for name in manifest["files"] if name not in parts}
    total: int = sum(kept.values()) + sum(len(content) for content in parts.values())
    if total > LARGEST:
        raise WeightsError(f"the demonstration would take {total} bytes; {LARGEST} are allowed")
    for name, content in parts.items():
        write_atomically(folder / name, content)
        manifest["files"][name] = sha256(content)
    manifest["measured"].update(measured or {})
    write_atomically(folder / MANIFEST, (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode())
    return total


def _halved(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in state.items()}


def _read(name: str, folder: Traversable) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        raise WeightsError(
            f"{name} is missing from {folder}: install the package again, or train the demonstration "
            "(python -m protocheck.runtime.demonstration.train --help)"
        ) from None
