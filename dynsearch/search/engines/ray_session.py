"""Starting Ray on this machine, or joining a cluster: quietly, and closed to strangers."""

import logging
import os
import sys

from dynsearch.errors import StudyError

_OBJECT_STORE_BYTES = 100 * 2**20
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_DEDUP_LOGS": "0",
    "RAY_worker_niceness": "0",  # by default trials step back behind everything else on the machine
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

_PRIVATE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # all ports on the loopback interface, as Ray does on a Mac
    "RAY_AUTH_MODE": "token",  # and no answer to other users of this machine
}


def quieten() -> None:
    """Set what Ray reads from the environment when it starts, where the user has not."""
    os.environ |= {name: value for name, value in _QUIET.items() if name not in os.environ}


def start_ray(address: str | None, num_cpus: int) -> None:
    """Connect to the cluster at ``address`` (``auto`` or HOST:PORT), or start Ray here; one that runs is used as it is.

    Started here, it listens on the loopback interface only, and answers none without its token. Each of ``num_cpus``
    jobs at once counts as one of Ray's CPUs.

    Raises:
        StudyError: Ray is not installed, or there is no cluster at ``address``.
    """
    quieten()
    if address is None and "ray" not in sys.modules:  # read when ray is imported
        os.environ |= {name: value for name, value in _PRIVATE.items() if name not in os.environ}
    try:
        import ray
    except ImportError as error:
        raise StudyError(
            "Ray is not installed", where="--engine ray", hint="Run: pip install 'dynsearch[ray]'"
        ) from error
    if ray.is_initialized():
        return
    try:
        if address is None:
            ray.init(
                address="local",  # not a cluster that left its address behind
                num_cpus=num_cpus,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=_OBJECT_STORE_BYTES,
            )
        else:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise StudyError(
            f"Ray can't be reached: {' '.join(str(error).split())[:200]}",
            where=f"--ray-address {address}",
            hint="Start one with `ray start --head`",
        ) from error
