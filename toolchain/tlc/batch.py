"""Several runs of TLC side by side, ended together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from .driver import TlcJob, TlcRun, Toolchain, find_toolchain, run_tlc


def run_all(
    jobs: Sequence[TlcJob],
    toolchain: Toolchain | None = None,
    *,
    parallel: int,
    done: Callable[[int, TlcRun], None] | None = None,
    cancel: threading.Event | None = None,
) -> list[TlcRun]:
    """Run all jobs, at most `parallel` at a time; the results come in the order of the jobs.

    On Ctrl-C, or when any of them raises, all that run are ended and the rest is not begun, before the exception goes
    on: no process, thread or directory is left.

    Args:
        jobs: what to run.
        toolchain: what to run it with; looked for by default, with the archive made if there is more than one job.
        parallel: how many at a time.
        done: called with a job's number and its result as each is done, from the thread that ran it.
        cancel: ends all when set; is set when a run raises.

    Raises:
        ToolError: as `run_tlc` and `find_toolchain`.
    """
    stop = cancel or threading.Event()
    chosen = toolchain or find_toolchain(archive="build" if len(jobs) > 1 else "use", cancel=stop)

    def run(number: int) -> TlcRun:
        result = run_tlc(jobs[number], chosen, cancel=stop)
        if done is not None:
            done(number, result)
        return result

    with ThreadPoolExecutor(max_workers=max(1, parallel), thread_name_prefix="tlc") as pool:
        try:
            futures = [pool.submit(run, number) for number in range(len(jobs))]
            for future in as_completed(futures):
                future.result()  # raises what the run raised, as soon as it did
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
