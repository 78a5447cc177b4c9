"""Calls on the machines of a cluster of dask or ray, each in a process of its own beside the cluster's worker."""

import os
import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from multiprocessing import current_process
from typing import Any, Literal, TypeVar

from rezsl.errors import ArgumentError, RezslError, needs, one_line_of
from rezsl.experiments.workers import SECONDS_TO_END, WorkerError, Workers
from rezsl.files import one_line

Result = TypeVar("Result")

Backend = Literal["loky", "dask", "ray"]
"""Where calls run: in processes of this machine (loky), or in those of a cluster."""

SECONDS_TO_CONNECT = 15.0


class Cluster(ABC):
    """Workers of a cluster; each call runs in a process beside the worker, and ends with it.

    A call whose worker dies is begun again in another worker, by the scheduler and up to three times. So a call must
    notice what it has done before. joblib's own loops over these clusters are not used, because such a loop ends with
    the first worker that dies, and cannot begin a call that another one leads to.

    Args:
        address: that of the scheduler.
        processes: calls at a time; None is as many as the cluster has threads or CPUs.
    """

    processes: int

    def __init__(self, address: str, processes: int | None) -> None:
        self.session = uuid.uuid4().hex
        self._running: set[Future[Any]] = set()
        try:
            found = self._connect(address)
        except RezslError:
            raise
        except (OSError, RuntimeError, ValueError) as error:
            raise ArgumentError(
                f"address: expected the scheduler of a running cluster, got {address} ({one_line_of(str(error))}); "
                f"start it, or correct the address"
            ) from error
        if not found:
            self._disconnect()
            raise ArgumentError(f"address: expected a cluster with workers, got {address}, which has none; start some")
        self.processes = processes or found

    def submit(self, call: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Begin a call in a worker, in the folder in which this process works."""
        future: Future[Result] = self._begin(call_beside, self.session, os.getcwd(), call, *arguments)
        self._running.add(future)
        return future

    def result(self, future: Future[Result]) -> Result:
        """Return what a call returned; if it was lost with its worker too often, that is a WorkerError."""
        self._running.discard(future)
        try:
            return future.result()
        except (RezslError, WorkerError, OSError, KeyboardInterrupt):
            raise
        except BaseException as error:  # both clusters have errors of their own, some of which are no Exception
            raise WorkerError(f"lost by the cluster: {one_line(error)}") from error

    def close(self) -> None:
        """Interrupt the calls as Ctrl-C would, wait for their end, and leave the cluster."""
        running = {future for future in self._running if not future.done()}
        if running:
            self._interrupt()
            wait(running, SECONDS_TO_END)
        self._disconnect()

    @abstractmethod
    def _connect(self, address: str) -> int:
        """Join the cluster, and return how many calls it can run at a time."""

    @abstractmethod
    def _begin(self, call: Callable[..., Result], *arguments: Any) -> Future[Result]: ...

    @abstractmethod
    def _interrupt(self) -> None: ...

    @abstractmethod
    def _disconnect(self) -> None: ...


class DaskCluster(Cluster):
    """The workers of a scheduler of dask."""

    def _connect(self, address: str) -> int:
        with needs("dask", "clusters of dask"):
            from distributed import Client  # noqa: PLC0415 - an optional package

        self._client = Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
        with suppress(TimeoutError):
            self._client.wait_for_workers(1, timeout=SECONDS_TO_CONNECT)
        self._executor = self._client.get_executor(pure=False)
        return sum(self._client.nthreads().values())

    def _begin(self, call: Callable[..., Result], *arguments: Any) -> Future[Result]:
        future: Future[Result] = self._executor.submit(call, *arguments)
        return future

    def _interrupt(self) -> None:
        self._client.run(interrupt_calls, self.session)

    def _disconnect(self) -> None:
        self._client.close()


class RayCluster(Cluster):
    """The workers of a cluster of ray; a call takes one CPU."""

    def _connect(self, address: str) -> int:
        with needs("ray", "clusters of ray"):
            import ray  # noqa: PLC0415 - an optional package

        self._ray = ray
        self._references: dict[Future[Any], Any] = {}
        ray.init(address, log_to_driver=False, configure_logging=False, ignore_reinit_error=True)
        return int(ray.cluster_resources().get("CPU", 0))

    def _begin(self, call: Callable[..., Result], *arguments: Any) -> Future[Result]:
        reference = self._ray.remote(call).options(num_cpus=1, max_retries=3).remote(*arguments)
        future: Future[Result] = reference.future()
        self._references[future] = reference
        return future

    def _interrupt(self) -> None:
        for future in self._running:
            self._ray.cancel(self._references[future])  # which raises KeyboardInterrupt in the worker

    def _disconnect(self) -> None:
        self._ray.shutdown()


Pool = Workers | Cluster
"""What runs calls at the same time."""


def open_pool(backend: Backend, address: str | None, processes: int | None, kept_open: Sequence[int] = ()) -> Pool:
    """Return what runs calls.

    Args:
        backend: ``loky`` for processes of this machine, ``dask`` or ``ray`` for those of a cluster.
        address: that of the cluster's scheduler; None with loky.
        processes: calls at a time; None is one with loky, and with a cluster as many as it has threads or CPUs.
        kept_open: file descriptors that processes of this machine keep open, see
            :class:`~rezsl.experiments.workers.Workers`.

    Raises:
        ArgumentError: there is no such cluster, it has no workers, or the address and the backend do not belong
            together.
        MissingPackageError: the package of the cluster is not installed.
    """
    if backend == "loky":
        if address is not None:
            raise ArgumentError(
                f"address: expected none with backend loky, which works on this machine, got {address}; choose dask or "
                f"ray, or leave it out"
            )
        return Workers(processes or 1, kept_open)
    if address is None:
        example = "tcp://head:8786" if backend == "dask" else "head:6379, or auto on a machine of the cluster"
        raise ArgumentError(
            f"address: expected that of the scheduler with backend {backend}, such as {example}, got none; give it"
        )
    return (DaskCluster if backend == "dask" else RayCluster)(address, processes)


_calls: dict[str, set[Workers]] = {}
"""In a worker of a cluster: the processes that run calls, by session."""

_interrupted: set[str] = set()
"""In a worker of a cluster: the sessions whose calls were interrupted."""

_lock = threading.Lock()


def call_beside(session: str, folder: str, call: Callable[..., Result], *arguments: Any) -> Result:
    """Run a call in a process of its own, which is interrupted when the worker ends or the session has left."""
    # Workers of dask may have no children, so that none outlives them; this one ends when the worker does.
    current_process()._config["daemon"] = False  # type: ignore[attr-defined] # there is no public way
    workers = Workers(1)
    with _lock:
        if session in _interrupted:
            raise WorkerError("interrupted")
        _calls.setdefault(session, set()).add(workers)
    try:
        future: Future[Result] = workers.submit(_in_folder, folder, call, *arguments)
        left = _has_left()
        # A wait without an end would not notice an interruption by ray.
        while not wait([future], 1).done:
            if left():
                raise WorkerError("its session has left the cluster")
        return workers.result(future)
    except KeyboardInterrupt as error:  # by which a worker of dask would end
        raise WorkerError("interrupted") from error
    finally:
        with _lock:
            _calls[session].discard(workers)
        workers.close()


def interrupt_calls(session: str) -> None:
    """Interrupt the calls of a session in this worker, without waiting for their end."""
    with _lock:
        _interrupted.add(session)
        for workers in _calls.get(session, ()):
            workers.interrupt()


def _has_left() -> Callable[[], bool]:
    """Return a function of whether the scheduler of dask has taken back the task of this thread, as for a dead client.

    A cluster of ray ends the workers of a dead client itself.
    """
    with suppress(ImportError, ValueError):  # no worker of dask
        from distributed import get_worker  # noqa: PLC0415 - an optional package

        worker = get_worker()
        key = worker.get_current_task()

        def left() -> bool:
            task = worker.state.tasks.get(key)
            return task is None or task.state == "cancelled"

        return left
    return lambda: False


def _in_folder(folder: str, call: Callable[..., Result], *arguments: Any) -> Result:
    try:
        os.chdir(folder)
    except OSError as error:
        raise ArgumentError(
            f"{folder}: expected the folder of the command on every machine of the cluster, got {error.strerror}; "
            f"start the command in a folder that they share"
        ) from error
    return call(*arguments)
