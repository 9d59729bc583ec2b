"""What schedules share that go by the training's length: see `plans.TimedSchedule`."""

from lazyrich_helpers.config import require


class Stepped:
    """Of a schedule that counts the steps of the whole training."""

    steps_per_epoch: int

    @property
    def per_step(self) -> bool:
        return True

    def check(self) -> None:
        given = self.steps_per_epoch
        require(given >= 1, "steps_per_epoch", "at least 1", given)

    def check_length(self, num_epochs: int, num_steps: int) -> None:
        given, due = self.steps_per_epoch, f"{num_steps}, the steps of this training's"
        require(given == num_steps, "steps_per_epoch", f"{due} epochs", given)

    def steps_before(self, epoch: int, step: int) -> int:
        """Return the number of steps before this one, all epochs'."""
        most = self.steps_per_epoch
        require(step < most, "step", f"below {most}, the steps of an epoch", step)
        return epoch * self.steps_per_epoch + step


class Ending:
    """Of a schedule that goes by the training's end."""

    total_epochs: int

    def check(self) -> None:
        given = self.total_epochs
        require(given >= 1, "total_epochs", "at least 1", given)

    def check_length(self, num_epochs: int, num_steps: int) -> None:
        given, due = self.total_epochs, f"{num_epochs}, the epochs of this training"
        require(given == num_epochs, "total_epochs", due, given)

    def check_epoch(self, epoch: int) -> None:
        """Raise ValueError if the training is over by then."""
        most = self.total_epochs
        require(epoch < most, "epoch", f"below {most}, the schedule's epochs", epoch)
