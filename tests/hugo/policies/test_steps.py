"""Groups, channels and timers within a step: they share its token and clock, and are taken back with it."""

from hugo.cancellation import CancelToken
from hugo.channels import Channel
from hugo.clock import FakeClock
from hugo.policies import StepContext, execute
from hugo.result import Result, err, ok
from hugo.select import on, select
from hugo.sync import ErrGroup, WaitGroup
from hugo.timers import new_ticker


async def test_the_parts_of_a_step_are_named_after_it_and_taken_back_with_it() -> None:
    clock, log = FakeClock(), []

    def part(context: StepContext) -> Result[str]:
        assert context.clock is clock
        log.append(context.name)
        context.register_compensation(log.append, f"undo {context.name}")
        return ok("done").with_compensation(log.append, f"undo the value of {context.name}")

    async def step(context: StepContext) -> Result[str]:
        group = ErrGroup(context.token)
        group.go(context.part, "errgroup", part)
        await group.wait()
        async with WaitGroup() as waiting:
            waiting.go(context.part, "waitgroup", part)
        return err("no")

    assert (await execute(step, name="order", clock=clock)).is_err
    assert log == [
        "order.errgroup",
        "order.waitgroup",
        "undo the value of order.waitgroup",
        "undo order.waitgroup",
        "undo the value of order.errgroup",
        "undo order.errgroup",
    ]


async def test_a_failing_part_fails_its_group_and_the_others_see_the_token() -> None:
    stopped: list[bool] = []

    async def step(context: StepContext) -> Result[None]:
        group = ErrGroup(context.token)

        async def patient(part: StepContext) -> Result[None]:
            await group.token.wait()
            stopped.append(part.token.cancelled)
            return ok()

        group.go(context.part, "errgroup", patient)
        group.go(context.part, "errgroup", lambda _: err("no", "app.no"))
        return await group.wait()

    error = (await execute(step)).error
    assert error is not None
    assert error.code == "app.no"
    # The group's token has fired, the step's has not.
    assert stopped == [False]


async def test_what_a_handler_of_a_select_attaches_belongs_to_the_step() -> None:
    channel: Channel[int] = Channel()
    channel.writer.try_write(7)
    log: list[int] = []

    async def step(context: StepContext) -> Result[int]:
        chosen = await select(
            on(channel.reader, lambda item: ok(item).with_compensation(log.append, item)),
            clock=context.clock,
            token=context.token,
        )
        assert context.absorb(chosen) == ok(7)
        return err("no")

    assert (await execute(step)).is_err
    assert log == [7]


async def test_a_ticker_of_a_step_that_is_taken_back_has_stopped() -> None:
    clock, token = FakeClock(), CancelToken()

    async def step(context: StepContext) -> Result[None]:
        ticker = new_ticker(1, clock=context.clock, token=context.token)
        context.register_compensation(ticker.stop)
        return err("no")

    await execute(step, clock=clock, token=token)
    assert clock.next_due is None
