"""Every expected failure, one line each, with the exit code that cron sees.

A message says what was found, where, what was expected and what to do. The codes are those that the
defaults in `pipeline.build.configuration` give to Luigi, so that both front doors agree.
"""


class HeadraceError(Exception):
    """A failure that somebody can act on; its text is for people, without a traceback."""

    exit_code = 30


class ConfigurationError(HeadraceError):
    """A setting, parameter or command that can't be used."""

    exit_code = 40


class WrongUse(ConfigurationError):
    """Words that a command has no use for, or lacks; the code is that of argparse."""

    exit_code = 2


class TaskError(HeadraceError):
    """A task is declared in a way that the framework can't run."""

    exit_code = 40


class DataError(HeadraceError):
    """Data broke a blocking rule: a contract's columns, a file that can't be parsed, lost rows."""


class RankDeficient(DataError):
    """The columns of a linear model depend on each other, so that the data do not say its coefficients."""


class MissingData(HeadraceError):
    """A partition that should have landed is not there."""

    exit_code = 20


class PartitionsFailed(HeadraceError):
    """A run ended with failed partitions; the others were processed."""


class StoreError(HeadraceError):
    """The store can't be used as it is."""

    exit_code = 35


class FormatMismatch(StoreError):
    """The store was written by another version of the layout."""


class StoreUnwritable(StoreError):
    """The store can't be written: read-only, no permission, no space."""


class BadName(StoreError, ValueError):
    """A name that no storage accepts."""


class StoreDamaged(HeadraceError):
    """An inspection of a store found damage; the text counts it by kind."""

    exit_code = 36


class MachineUnfit(HeadraceError):
    """The machine, a store's file system or the configuration lacks what a run relies on."""

    exit_code = 37


class StoreUnreachable(StoreError):
    """The server of a store gives no usable answer."""


class StoreForbidden(StoreError):
    """The server of a store lets these credentials, or none, read nothing."""


class BucketMissing(StoreError):
    """There is no bucket of the name that a store's address gives."""


class RecordDamaged(StoreError):
    """A record does not read as the canonical JSON that was written; `cause` says in what."""

    cause = ""


class BlobMissing(StoreError):
    """A record names a blob that the store does not hold."""


class BlobDamaged(StoreError):
    """A blob's bytes are not those that its name promises."""


class ViewIncomplete(StoreError):
    """A collection can't see all that is to be kept, and so takes nothing."""


class WorkerDied(HeadraceError):
    """A process that was building died: killed, short of memory, or by a fault of a library."""


class CacheLost(StoreError):
    """A part of the cache that another part counts on is gone: it is made again from the records."""


class SchedulerUnreachable(HeadraceError):
    """Luigi's scheduler does not answer."""

    exit_code = 35


class NotReproducible(HeadraceError):
    """The same action made two different values."""


class TrapsFound(HeadraceError):
    """Code holds what makes a build no pure function of its inputs; the exit code is that of linters."""

    exit_code = 1


class InputRefused(HeadraceError):
    """Rows given to a model break its input contract; the text names the field."""


class Untrusted(HeadraceError):
    """A bundle or a generation is not signed by a key that is trusted here."""


class Expired(HeadraceError):
    """What serves was signed to count until an instant that is over, and nothing newer is there."""


class BundleDamaged(HeadraceError):
    """A bundle's files are not those that its manifest promises, or don't read as what they are named."""


class NotReplayed(HeadraceError):
    """A model does not predict of its golden rows what it did when they were made."""


class GateRefused(HeadraceError):
    """A candidate may not go to production; the text names the checks that failed, with their numbers."""


class AliasMoved(HeadraceError):
    """Somebody else appended a generation first."""
