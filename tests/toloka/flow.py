"""A requester's day with toloka-kit 1.2.3, unmodified, against a running `veche serve --empty`.

    python flow.py URL KEY

Annotators work over the plain HTTP API; some of them are bots. Ends with "flow passed".
"""

import asyncio
import datetime
import random
import re
import sys
import time
import uuid

import httpx
import toloka.client as toloka
from toloka.async_client import AsyncTolokaClient
from toloka.client.exceptions import (
    AuthenticationApiError,
    ConflictStateApiError,
    DoesNotExistApiError,
    IncorrectActionsApiError,
    ValidationApiError,
)
from toloka.client.project import Project
from toloka.client.project.task_spec import TaskSpec
from toloka.client.task import CreateTasksParameters

URL, KEY = sys.argv[1], sys.argv[2]
REAL, GOLDEN, OVERLAP, T = 180, 18, 3, 20
dice = random.Random(7)


def done(what):
    print("ok", what, flush=True)


def refused(kind, code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind as error:
        assert error.code == code, (error.code, error.message)
        assert error.request_id and error.message, vars(error)
        return error
    raise AssertionError(f"{call} was not refused with {code}")


# ---- What is asked


def project(name="How old?"):
    view = toloka.project.view_spec.ClassicViewSpec(markup="{{text caption}}", script="", styles="")
    return Project(
        public_name=name,
        public_description="Ages of people",
        public_instructions="<h1>How old?</h1><p>Say how old the person looks.</p>",
        task_spec=TaskSpec(
            input_spec={
                "image": toloka.project.UrlSpec(required=False),
                "caption": toloka.project.StringSpec(required=True),
                "item": toloka.project.StringSpec(required=False, hidden=True),
            },
            output_spec={
                "age": toloka.project.IntegerSpec(required=True, min_value=0, max_value=120),
                "gender": toloka.project.StringSpec(required=True, allowed_values=["female", "male"]),
            },
            view_spec=view,
        ),
    )


def pool(project_id, **more):
    settings = dict(
        project_id=project_id,
        private_name="ages",
        may_contain_adult_content=False,
        reward_per_assignment=0.02,
        will_expire=datetime.datetime.utcnow() + datetime.timedelta(days=30),
        assignment_max_duration_seconds=600,
        auto_accept_solutions=True,
        defaults=toloka.Pool.Defaults(default_overlap_for_new_tasks=OVERLAP, default_overlap_for_new_task_suites=2),
    )
    settings.update(more)
    return toloka.Pool(**settings)


def ban(days=10):
    return toloka.actions.RestrictionV2(
        scope=toloka.user_restriction.UserRestriction.PROJECT,
        duration=days,
        duration_unit="DAYS",
        private_comment="too far off on controls",
    )


def controlled(project_id):
    """6 + 1, and a rule that is "clipped mean error above 8 years" in triangular weights."""
    made = pool(project_id)
    made.set_mixer_config(real_tasks_count=6, golden_tasks_count=1, training_tasks_count=0, min_real_tasks_count=1)
    made.quality_control.add_action(
        collector=toloka.collectors.GoldenSet(),
        conditions=[
            toloka.conditions.GoldenSetAnswersCount >= 3,
            toloka.conditions.GoldenSetCorrectAnswersRate < 60.0,
        ],
        action=ban(),
    )
    made.quality_control.add_action(
        collector=toloka.collectors.UsersAssessment(),
        conditions=[toloka.conditions.PoolAccessRevokedReason == "RESTRICTION"],
        action=toloka.actions.ChangeOverlap(delta=1, open_pool=True),
    )
    return made


def truth(n):
    return 5 + (n * 37) % 80, ("female", "male")[n * 7 % 3 % 2]


def task(pool_id, n):
    age, gender = truth(n)
    return toloka.Task(
        pool_id=pool_id, input_values={"caption": f"a photo of a {gender}, {age} years", "item": f"item {n}"}
    )


def golden(pool_id, n):
    made = task(pool_id, n)
    age, gender = truth(n)
    made.known_solutions = [
        toloka.Task.KnownSolution(
            output_values={"age": a, "gender": gender}, correctness_weight=1 - abs(a - age) / T
        )
        for a in range(max(0, age - T + 1), min(120, age + T - 1) + 1)
    ]
    made.infinite_overlap = True
    return made


# ---- Who answers


class Annotator:
    def __init__(self, bot=False):
        self.bot, self.answered = bot, 0
        signed = self.post("sign-up", {}, None)
        self.name, token = signed["annotator"], signed["token"]
        self.headers = {"authorization": f"Bearer {token}"}
        self.post("consent", {"consent": True, "birth_year": 1990, "language": "en"})
        assert self.post("ready", {})["stage"] == "work"

    def post(self, what, body, headers=()):
        headers = self.headers if headers == () else headers
        answer = httpx.post(f"{URL}/api/annotator/{what}", json=body, headers=headers, timeout=30)
        assert answer.status_code == 200, (what, answer.text)
        return answer.json()

    def next(self, **more):
        return self.post("next", more)

    def answer(self, shown):
        if self.bot:
            return {"age": dice.randrange(0, 120), "gender": dice.choice(["female", "male"])}
        gender, age = re.search(r"a photo of a (\w+), (\d+) years", shown["text"]).groups()
        return {"age": min(120, max(0, int(age) + dice.randrange(-3, 4))), "gender": gender}

    def work(self, **more):
        """Does one suite; returns why there is none."""
        given = self.next(**more)
        suite = given["suite"]
        if suite is None:
            return given["reason"]
        seen = str(suite)
        for secret in ("known", "item ", "golden", "http", "control"):
            assert secret not in seen, f"{secret} is shown: {seen}"
        assert [q["name"] for q in suite["questions"]] == ["age", "gender"]
        answers = [{"output": self.answer(t), "seconds": 3.0} for t in suite["tasks"]]
        body = {"assignment": suite["assignment"], "token": uuid.uuid4().hex, "answers": answers}
        assert self.post("submit", body)["taken"]
        self.answered += len(answers)
        return None


# ---- The day


def main():
    client = toloka.TolokaClient(KEY, url=URL, retries=0, timeout=60)
    stranger = toloka.TolokaClient("no key", url=URL, retries=0)
    refused(AuthenticationApiError, "AUTHENTICATION_ERROR", stranger.get_requester)
    assert client.get_requester().public_name["EN"]
    done("key")

    refused(ValidationApiError, "VALIDATION_ERROR", client.create_project, Project(public_name=""))
    made = client.create_project(project())
    assert made.status == Project.ProjectStatus.ACTIVE and made.created
    read = client.get_project(made.id)
    assert read.task_spec.output_spec["age"].max_value == 120, read
    read.private_comment = "changed"
    assert client.update_project(made.id, read).private_comment == "changed"
    assert made.id in [p.id for p in client.get_projects(status="ACTIVE", batch_size=1)]
    refused(DoesNotExistApiError, "DOES_NOT_EXIST", client.get_project, "999999")
    done("project")

    first = client.create_pool(controlled(made.id))
    assert first.status == toloka.Pool.CLOSED and first.mixer_config.real_tasks_count == 6
    assert first.quality_control.configs[0].collector_config.uuid
    refused(IncorrectActionsApiError, "EMPTY_POOL", client.open_pool, first.id)
    assert client.close_pool_async(first.id) is None, "what is closed already answers 204"
    first.private_name = "ages, again"
    assert client.update_pool(first.id, first).private_name == "ages, again"
    done("pool")

    tasks = [task(first.id, n) for n in range(REAL)] + [golden(first.id, 1000 + n) for n in range(GOLDEN)]
    bad_url, nothing = task(first.id, 1), task(first.id, 2)
    bad_url.input_values["image"] = "no address"
    nothing.input_values = {"item": "no caption"}
    tasks[10:10] = [bad_url, nothing]
    parameters = CreateTasksParameters(operation_id=uuid.uuid4(), allow_defaults=True, skip_invalid_items=True)
    start = time.monotonic()
    result = client.create_tasks(tasks, parameters)
    took = time.monotonic() - start
    assert len(result.items) == REAL + GOLDEN and set(result.validation_errors) == {"10", "11"}, result.validation_errors
    assert result.validation_errors["10"]["input_values.image"].code == "INVALID_URL_SYNTAX"
    assert result.validation_errors["11"]["input_values.caption"].code == "VALUE_REQUIRED"
    assert result.items["0"].overlap == OVERLAP and result.items["0"].input_values["item"] == "item 0"
    done(f"200 tasks, asynchronously, in {took:.2f} s")
    # The same operation again: 409, and the client goes on as if it had been the first time.
    again = client.create_tasks(tasks, parameters)
    assert {t.id for t in again.items.values()} == {t.id for t in result.items.values()}
    assert len(list(client.get_tasks(pool_id=first.id))) == REAL + GOLDEN
    listed = list(client.get_tasks(pool_id=first.id, batch_size=3))
    assert [t.id for t in listed] == sorted(t.id for t in again.items.values())
    done("the same operation again; pages of three")
    refused(ValidationApiError, "VALIDATION_ERROR", client.create_tasks, [nothing], allow_defaults=True)
    refused(ValidationApiError, "VALIDATION_ERROR", client.create_tasks, [nothing], allow_defaults=True, async_mode=False)
    one = client.create_task(task(first.id, 5000), allow_defaults=True)
    assert client.get_task(one.id).input_values["item"] == "item 5000"
    assert client.patch_task_overlap_or_min(one.id, toloka.task.TaskOverlapPatch(overlap=0)).overlap == 0
    operation = client.get_operation(str(parameters.operation_id))
    assert operation.status == operation.SUCCESS and operation.details["not_valid_count"] == 2
    done("one task, taken back; operations")

    client.open_pool(first.id)
    assert client.open_pool_async(first.id) is None, "what is open already answers 204"
    assert client.get_pool(first.id).is_open()
    refused(IncorrectActionsApiError, "INAPPROPRIATE_STATUS", client.archive_pool, first.id)

    honest, bots = [Annotator() for _ in range(8)], [Annotator(bot=True) for _ in range(3)]
    ended = set()
    for _ in range(200):
        waiting = [a for a in honest + bots if a.name not in ended]
        if client.get_pool(first.id).is_closed() or not waiting:
            break
        for who in waiting:
            if who.work() == "ended":
                ended.add(who.name)
    assert ended >= {b.name for b in bots}, "not every bot was shut out"
    assert not ended & {h.name for h in honest}, "an honest annotator was shut out"
    first = client.get_pool(first.id)
    assert first.is_closed() and first.last_close_reason == toloka.Pool.CloseReason.COMPLETED, first.last_close_reason
    asked = [toloka.analytics_request.CompletionPercentagePoolAnalytics(subject_id=first.id)]
    analytics = client.wait_operation(client.get_analytics(asked))
    assert analytics.details["value"][0]["result"]["value"] == 100, analytics.details
    done(f"worked: {sum(a.answered for a in honest)} answers of 8 annotators, 3 bots shut out")

    assignments = list(client.get_assignments(pool_id=first.id, status=["ACCEPTED"], batch_size=3))
    assert len({a.id for a in assignments}) == len(assignments) > 90
    votes, controls = {}, 0
    bad = {b.name for b in bots}
    for a in assignments:
        assert len(a.tasks) == len(a.solutions) <= 7 and a.mixed and a.submitted >= a.created
        for t, s in zip(a.tasks, a.solutions):
            assert set(s.output_values) == {"age", "gender"}
            controls += t.known_solutions is not None
            if t.known_solutions is None and a.user_id not in bad:
                votes.setdefault(t.id, []).append(s.output_values["age"])
    assert controls == len(assignments), "one control in every suite"
    assert {len(v) for v in votes.values()} == {OVERLAP} and len(votes) == REAL, "bots' votes were asked of others"
    one = client.get_assignment(assignments[0].id)
    assert one.id == assignments[0].id and one.user_id in {a.name for a in honest} | bad
    assert not list(client.get_assignments(pool_id=first.id, status=["REJECTED", "SKIPPED"]))
    suite = client.get_task_suite(assignments[0].task_suite_id)
    assert [t.id for t in suite.tasks] == [t.id for t in assignments[0].tasks] and suite.mixed
    frame = client.get_assignments_df(first.id, status=["APPROVED"], field=[
        "ASSIGNMENT:assignment_id", "ASSIGNMENT:task_id", "ASSIGNMENT:worker_id", "ASSIGNMENT:status", "ASSIGNMENT:submitted",
    ])
    assert len(frame) == sum(len(a.tasks) for a in assignments)
    assert set(frame["ASSIGNMENT:status"]) == {"APPROVED"} and frame["OUTPUT:age"].between(0, 120).all()
    assert frame["GOLDEN:age"].notna().sum() == controls and "INPUT:caption" in frame.columns
    without = client.get_assignments_df(first.id, status=["APPROVED"], exclude_banned=True)
    assert not set(without["ASSIGNMENT:worker_id"]) & bad and len(without) < len(frame)
    done(f"{len(assignments)} assignments as objects, {len(frame)} rows as a data frame")

    restrictions = list(client.get_user_restrictions(project_id=made.id))
    assert {r.user_id for r in restrictions} == bad and all(r.will_expire for r in restrictions)
    lifted = restrictions[0]
    client.delete_user_restriction(lifted.id)
    refused(DoesNotExistApiError, "DOES_NOT_EXIST", client.get_user_restriction, lifted.id)
    assert len(list(client.get_user_restrictions(project_id=made.id))) == len(bots) - 1
    by_hand = toloka.user_restriction.PoolUserRestriction(user_id=honest[0].name, pool_id=first.id, private_comment="?")
    shut = client.set_user_restriction(by_hand)
    assert client.set_user_restriction(by_hand).id == shut.id, "one restriction for each user and pool"
    assert client.get_user_restriction(shut.id).scope == "POOL"
    client.delete_user_restriction(shut.id)
    done("restrictions: by the rule, lifted, by hand")

    skill = client.create_skill(name="ages", hidden=True, public_requester_description={"EN": "ages"})
    assert client.get_skill(skill.id).name == "ages"
    for who in honest[:2]:
        client.set_user_skill(skill_id=skill.id, user_id=who.name, value=90)
    value = client.set_user_skill(skill_id=skill.id, user_id=honest[0].name, value=85.5)
    assert float(value.exact_value) == 85.5 and len(list(client.get_user_skills(skill_id=skill.id))) == 2
    assert client.get_user(honest[0].name).languages == ["EN"]
    done("skills")

    aggregated = client.aggregate_solutions_by_pool(
        type="WEIGHTED_DYNAMIC_OVERLAP", pool_id=first.id, answer_weight_skill_id=skill.id,
        fields=[toloka.aggregation.PoolAggregatedSolutionRequest.Field(name="age")],
    )
    aggregated = client.wait_operation(aggregated)
    assert aggregated.status == aggregated.SUCCESS, aggregated
    solutions = list(client.get_aggregated_solutions(aggregated.id, batch_size=50))
    numbers = {t.id: int(re.search(r"\d+", t.input_values["item"])[0]) for t in listed}
    errors = [abs(s.output_values["age"] - truth(numbers[s.task_id])[0]) for s in solutions]
    assert len(solutions) == REAL and all(0 <= s.confidence <= 1 for s in solutions)
    assert sum(errors) / REAL < 2.5, sum(errors) / REAL
    genders = client.wait_operation(client.aggregate_solutions_by_pool(
        type="DAWID_SKENE", pool_id=first.id,
        fields=[toloka.aggregation.PoolAggregatedSolutionRequest.Field(name="gender")],
    ))
    genders = list(client.get_aggregated_solutions(genders.id))
    right = [g.output_values["gender"] == truth(numbers[g.task_id])[1] for g in genders]
    assert len(right) == REAL and sum(right) >= 0.98 * REAL
    single = client.aggregate_solutions_by_task(
        pool_id=first.id, task_id=solutions[0].task_id,
        fields=[toloka.aggregation.PoolAggregatedSolutionRequest.Field(name="age")],
    )
    assert single.output_values == solutions[0].output_values
    done(f"labels: mean error {sum(errors) / REAL:.2f} years, {sum(right)} of {REAL} genders")

    by_hand_day(client, made.id, honest, skill)
    our_rule(client, made.id)

    clone = client.clone_pool(first.id)
    assert clone.id != first.id and clone.is_closed() and clone.mixer_config.golden_tasks_count == 1
    assert not list(client.get_tasks(pool_id=clone.id))
    refused(IncorrectActionsApiError, "UNARCHIVED_POOLS_CONFLICT", client.archive_project, made.id)
    for each in client.get_pools(project_id=made.id):
        if each.is_open():
            client.close_pool(each.id)
        client.archive_pool(each.id)
    assert client.get_pool(first.id).is_archived()
    assert client.archive_pool_async(first.id) is None
    refused(IncorrectActionsApiError, "INAPPROPRIATE_STATUS", client.open_pool, first.id)
    assert client.archive_project(made.id).is_archived()
    kinds = {o.type.value for o in client.get_operations(batch_size=3)}
    assert {"POOL.OPEN", "POOL.ARCHIVE", "POOL.CLONE", "PROJECT.ARCHIVE", "TASK.BATCH_CREATE"} <= kinds, kinds
    done("clone, close, archive")


def by_hand_day(client, project_id, honest, skill):
    """Suites put together by hand, judged by hand, for annotators with a skill."""
    made = pool(project_id, auto_accept_solutions=False, auto_accept_period_day=7)
    made.filter = toloka.filter.Skill(skill.id) >= 80
    made = client.create_pool(made)
    refused(IncorrectActionsApiError, "MIXER_CONFIG_REQUIRED", client.create_task, task(made.id, 1), allow_defaults=True)
    suites = [
        toloka.TaskSuite(pool_id=made.id, tasks=[task(None, 10 * i + j) for j in range(3)], overlap=1) for i in range(4)
    ]
    created = client.create_task_suites(suites)
    assert len(created.items) == 4 and len(created.items["0"].tasks) == 3 and created.items["0"].overlap == 1
    # All three answers of a stranger would be in vain: the filter keeps them out.
    client.open_pool(made.id)
    assert honest[5].work(pool=made.id) == "done"
    for _ in range(2):
        assert honest[0].work(pool=made.id) is None and honest[1].work(pool=made.id) is None
    waiting = list(client.get_assignments(pool_id=made.id, status="SUBMITTED"))
    assert len(waiting) == 4 and not waiting[0].mixed
    assert {a.task_suite_id for a in waiting} == {s.id for s in created.items.values()}
    assert client.accept_assignment(waiting[0].id, "well done").status == toloka.Assignment.ACCEPTED
    rejected = client.reject_assignment(waiting[1].id, "not so well")
    assert rejected.status == toloka.Assignment.REJECTED and rejected.public_comment == "not so well" and rejected.rejected
    assert client.accept_assignment(waiting[1].id, "after all").status == toloka.Assignment.ACCEPTED
    refused(IncorrectActionsApiError, "INAPPROPRIATE_STATUS", client.reject_assignment, waiting[0].id, "no")
    found = list(client.get_task_suites(pool_id=made.id, batch_size=3))
    assert [s.id for s in found] == sorted(s.id for s in created.items.values())
    assert client.patch_task_suite_overlap_or_min(found[0].id, overlap=0).overlap == 1
    done("suites by hand, accepted and rejected, for a skill")


def our_rule(client, project_id):
    """What Toloka cannot say: mean |error| above 8 years."""
    made = controlled(project_id).unstructure()
    made["quality_control"]["configs"][0]["rules"][0]["conditions"] = [
        {"key": "golden_set_answers_count", "operator": "GTE", "value": 3},
        {"key": "golden_set_mean_abs_error", "operator": "GT", "value": 8},
    ]
    made = client.create_pool(toloka.Pool.structure(made))
    keys = [c.key for c in client.get_pool(made.id).quality_control.configs[0].rules[0].conditions]
    assert "golden_set_mean_abs_error" in [getattr(k, "value", k) for k in keys], keys
    controls = [golden(made.id, 2000 + n) for n in range(6)]
    for control in controls:
        # One known answer: the rule measures the distance to it.
        best = max(control.known_solutions, key=lambda s: s.correctness_weight)
        control.known_solutions = [best]
    client.create_tasks([task(made.id, 3000 + n) for n in range(30)] + controls, allow_defaults=True, open_pool=True)
    good, bot = Annotator(), Annotator(bot=True)
    reasons = [(good.work(pool=made.id), bot.work(pool=made.id)) for _ in range(5)]
    assert reasons[-1][1] == "ended" and good.work(pool=made.id) != "ended", reasons
    assert client.get_pool(made.id).is_open()
    client.close_pool(made.id)
    done("our rule on the distance")


async def asynchronous():
    client = AsyncTolokaClient(KEY, url=URL, retries=0, timeout=60)
    made = await client.create_project(project("How old, again?"))
    first = await client.create_pool(controlled(made.id))
    bad = task(first.id, 1)
    bad.input_values = {}
    tasks = [task(first.id, n) for n in range(12)] + [golden(first.id, 100), golden(first.id, 101), bad]
    parameters = CreateTasksParameters(operation_id=uuid.uuid4(), allow_defaults=True, skip_invalid_items=True)
    result = await client.create_tasks(tasks, parameters)
    assert len(result.items) == 14 and set(result.validation_errors) == {"14"}
    again = await client.create_tasks(tasks, parameters)
    assert len(again.items) == 14
    await client.open_pool(first.id)
    annotators = [Annotator() for _ in range(3)]
    for who in annotators:
        while who.work(pool=first.id) is None:
            pass
    assert (await client.get_pool(first.id)).is_closed()
    assignments = [a async for a in client.get_assignments(pool_id=first.id, status="ACCEPTED", batch_size=3)]
    assert len(assignments) == 6, len(assignments)
    frame = await client.get_assignments_df(first.id, status=["APPROVED"])
    assert len(frame) == 42
    shut = await client.set_user_restriction(
        toloka.user_restriction.AllProjectsUserRestriction(user_id=annotators[0].name, private_comment="?")
    )
    assert annotators[0].next()["reason"] == "ended"
    await client.delete_user_restriction(shut.id)
    operation = await client.aggregate_solutions_by_pool(
        type="WEIGHTED_DYNAMIC_OVERLAP", pool_id=first.id, answer_weight_skill_id="1",
        fields=[toloka.aggregation.PoolAggregatedSolutionRequest.Field(name="age")],
    )
    operation = await client.wait_operation(operation)
    assert len([s async for s in client.get_aggregated_solutions(operation.id)]) == 12
    try:
        await client.get_pool("999999")
    except DoesNotExistApiError:
        pass
    clone = await client.clone_pool(first.id)
    for each in (first, clone):
        await client.archive_pool(each.id)
    await client.archive_project(made.id)
    done("the asynchronous client")


main()
asyncio.run(asynchronous())
print("flow passed")
