"""Tasks and errands: one list, so that what is simulated is what workers do."""

from __future__ import annotations

import ast
import inspect

import pytest

from workers import case_tasks, read_tasks, retention_tasks, tasks
from workers.errands import ERRANDS
from workers.failures.replaying import RINGABLE

MODULES = {module.__name__: module for module in (tasks, read_tasks, retention_tasks, case_tasks)}


def function_of(errand: str) -> ast.FunctionDef:
    module, _, name = tasks.task_of(errand).rpartition(".")
    tree = ast.parse(inspect.getsource(MODULES[module]))
    (found,) = (
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name
    )
    return found


@pytest.mark.parametrize("errand", ERRANDS)
def test_the_task_of_an_errand_runs_it_and_does_nothing_else(errand: str) -> None:
    function = function_of(errand)
    names = [argument.arg for argument in function.args.kwonlyargs]

    words, call = function.body

    assert isinstance(words, ast.Expr)
    assert ast.unparse(words) == repr(ERRANDS[errand].__doc__)
    assert ast.unparse(call) == f"run({', '.join([repr(errand), *names])})"


def test_every_task_that_is_no_errand_is_known() -> None:
    others = RINGABLE - {tasks.task_of(errand) for errand in ERRANDS}

    assert {name.rpartition(".")[2] for name in others} == {
        "watch_alerts", "send_alerts",
        "look_at_cases", "act_on_cases", "hold_orders",
        "look_at_failed", "work_operations",
        "look_at_forecast", "run_forecast",
        "send_hooks",
    }  # fmt: skip
