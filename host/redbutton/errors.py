"""What can go wrong, each as one clear line for a person.

`exit_code` is the command line's. `survivable`: what owns the port goes on and tries again.
"""


class RedbuttonError(Exception):
    """Base of all errors that a user can do something about."""

    exit_code = 1
    survivable = False


class PortMissing(RedbuttonError):
    """There is no such port, or no controller on any."""

    exit_code = 3


class PortForbidden(RedbuttonError):
    """The user may not open the port."""

    exit_code = 4


class PortInUse(RedbuttonError):
    """Another process owns the port."""

    exit_code = 5


class LinkLost(RedbuttonError):
    """The port was there and is gone, or takes nothing more."""

    exit_code = 6
    survivable = True


class NoContact(RedbuttonError):
    """The port is open, but no controller was heard on it in time."""

    exit_code = 7


class VersionMismatch(RedbuttonError):
    """The controller speaks another version of the protocol."""

    exit_code = 8


class WrongKey(RedbuttonError):
    """Host and controller do not hold the same link key."""

    exit_code = 9


class KeyUnreadable(RedbuttonError):
    """The key file is missing, may not be read, or holds no key."""

    exit_code = 10


class MissingTool(RedbuttonError):
    """A program or package that this command needs is not installed."""

    exit_code = 11


class EmbeddingMissing(MissingTool):
    """The model with which texts are judged by their meaning is not installed."""


class StopNotProven(RedbuttonError):
    """A stop was requested, and the mirror contacts did not prove it in time."""

    exit_code = 12


class JournalFaulty(RedbuttonError):
    """Entries of the controller's journal are missing or forged, or its flash fails."""

    exit_code = 13


class ProfileWrong(RedbuttonError):
    """A robot's profile is missing, malformed, or contradicts itself."""

    exit_code = 16


class ApprovalRefused(RedbuttonError):
    """A command cannot be held for a person, or a person's vote on it does not count."""

    exit_code = 17


class ProfileNotApproved(ApprovalRefused):
    """A profile is not the one in force, and too few of those who must have agreed to it."""


class EmbeddingWrong(RedbuttonError):
    """The model with which texts are judged is not the one that the checks were tried with."""

    exit_code = 18


class AttestationFailed(RedbuttonError):
    """The controller's firmware or configuration is not what this host expects.

    The owner of the port goes on without a heartbeat, and says why in every state.
    """

    exit_code = 20
    survivable = True


class NotInMaintenance(RedbuttonError):
    """The controller is not in maintenance, and only there it can be changed."""

    exit_code = 21


class BoardNotWritten(RedbuttonError):
    """Writing to the controller failed; without whole firmware it stays off."""

    exit_code = 22


class BadSignature(RedbuttonError):
    """A manifest of firmware is not signed with the key that it should be signed with."""

    exit_code = 23


class DatasetUnreadable(RedbuttonError):
    """A file of cases is missing, or in none of the forms that are known."""

    exit_code = 24


class LinesUnreadable(RedbuttonError):
    """The file with questions is not there, or may not be read."""

    exit_code = 25


class ScenarioWrong(RedbuttonError):
    """A scenario of the bench is missing, malformed, or contradicts itself."""

    exit_code = 26


class CampaignDiffers(RedbuttonError):
    """There is no campaign in a folder, or one that is another."""

    exit_code = 27


class FoundDangerous(RedbuttonError):
    """A run on the bench had the load on when it had to be off."""

    exit_code = 28


class ReportUnwritable(RedbuttonError):
    """The file for a report cannot be written."""

    exit_code = 29


class RigFailed(RedbuttonError):
    """The bench's model failed in a run, which therefore shows nothing."""

    exit_code = 30


class ConfigurationWrong(RedbuttonError):
    """The host's configuration is missing, malformed, or contradicts itself."""

    exit_code = 31


class RecordFaulty(RedbuttonError):
    """Entries of the record were changed, dropped, reordered, or are not proven."""

    exit_code = 32


class RecordWrong(RedbuttonError):
    """There is no record where one is looked for, or a file or key of it is not of its form."""

    exit_code = 33


class RecordUnwritable(RedbuttonError):
    """The record cannot be written."""

    exit_code = 34
    survivable = True


class InstallRefused(RedbuttonError):
    """`redbutton install` may not do what it is asked for; nothing was changed."""

    exit_code = 35


class InstallFailed(RedbuttonError):
    """A step of `redbutton install` failed; those before it are done."""

    exit_code = 36


class NotWell(RedbuttonError):
    """`redbutton doctor` found a problem."""

    exit_code = 37


class NotAllChecked(RedbuttonError):
    """`redbutton doctor` found no problem, but could not look everywhere."""

    exit_code = 38


class PlannerUnitWrong(RedbuttonError):
    """The planner's control group, as configured, cannot be frozen or killed here."""

    exit_code = 39


class ClockWrong(RedbuttonError):
    """The controller's clock and the host's run at different rates."""

    exit_code = 40


class PendantFailed(RedbuttonError):
    """The pendant's pins cannot be used, or no longer."""

    exit_code = 42


class RotationUnfinished(RedbuttonError):
    """A new link key is not proven on both sides: `redbutton rotate-key` goes on from there."""

    exit_code = 43


class AgentPortTaken(RedbuttonError):
    """The agent interface cannot listen where it was told to."""

    exit_code = 44


class WrongBoard(RedbuttonError):
    """A board is on the port, but not the one that was asked for: a controller, or the probe."""

    exit_code = 45


class SelftestFailed(RedbuttonError):
    """The rig of the bench is not wired as it should be, so that it proves nothing."""

    exit_code = 46


class CannotCause(RedbuttonError):
    """A scenario or a fault that this rig cannot cause."""

    exit_code = 47
