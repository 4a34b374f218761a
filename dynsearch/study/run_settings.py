"""How a recipe is carried out: where, how fast and told to whom. None of it decides a result."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dynsearch.files import at_home
from dynsearch.validation import Settings

_GIGABYTE = 10**9


class RunSettings(Settings):
    """Settings of a run; a recipe file's ``run`` section. They may change whenever a study goes on.

    Unknown fields are refused.
    """

    engine: Literal["local", "ray"] = "local"
    """Where trials run. ``local``: in processes on this machine; ``ray``: in a Ray cluster."""
    ray_address: str | None = None
    """A running Ray cluster, ``auto`` or HOST:PORT; none starts Ray on this machine."""
    gpus_per_trial: float | None = Field(default=None, ge=0)
    """GPUs Ray sets aside for a trial; none means one for each of its processes, where the cluster has any."""
    concurrent: int = Field(default=1, ge=1)
    """Trials under way at once; with several GPUs they take turns on them."""
    max_hours: float | None = Field(default=None, gt=0)
    """No further trial begins after this time; none means no limit."""
    storage: Annotated[str, AfterValidator(at_home)] | None = None
    """Where the record is kept: ``sqlite:///FILE``, ``journal``, ``journal:FILE`` or ``postgresql://USER@HOST/DATABASE``.
    None is SQLite in the study's folder, ``journal`` a journal file there. A record that is there stays where it is."""
    reader: Literal["auto", "decord", "pyav"] = "auto"
    """What decodes video files; ``auto`` looks at each file and takes decord only where its frames are right."""
    allow_outside: bool = False
    """Take videos that lie outside the data root, by a link or a path in a list; without it they are refused."""
    num_workers: int = Field(default=4, ge=0)
    """Processes that read and decode videos, for each process that trains. With 0, a video that crashes its
    decoder ends the training."""
    save_every_steps: int | None = Field(default=1000, ge=1)
    """Steps after which the state is saved within an epoch; none saves it after each epoch only."""
    timeout: float = Field(default=600.0, gt=0)
    """Seconds that one process waits for another before training ends with an error."""
    max_cache_gb: float = Field(default=200.0, gt=0)
    """Most that the decoded frames of all splits may take on disk, in 10^9 bytes; a larger cache is refused."""
    max_grid_gb: float = Field(default=16.0, gt=0)
    """Most that the one-shot scores of one frame order may take on disk, in 10^9 bytes; more is refused."""
    loggers: tuple[Literal["wandb", "mlflow"], ...] = ()
    """Experiment trackers that are told of every trial."""

    @property
    def max_grid_bytes(self) -> int:
        """The most that a score grid may take."""
        return int(self.max_grid_gb * _GIGABYTE)


DEFAULT_RUN = RunSettings()
"""Here, one trial after the other."""
