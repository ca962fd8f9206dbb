"""A plan and its progress as lines; pure drawing for the drawer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

from console.formatting import clean, clean_lines, long_bytes
from console.widgets.line import Line, wrap
from console.widgets.plots import bar

if TYPE_CHECKING:
    from console.actions.operate import Operation
    from console.widgets.palette import Palette
    from core.models import Plan


def plan_lines(plan: Plan, width: int, look: Palette) -> list[Line]:
    """Return the plan: refusal, dry run, warnings, exact targets, exact statements."""
    lines: list[Line] = []

    def para(text: str, style: Style, before: str = "") -> None:
        for number, part in enumerate(wrap(clean(text), width - len(before))):
            line = Line().add(before if not number else " " * len(before), style)
            lines.append(line.add(part, style))

    if plan.refused:
        para(plan.refused, look.bad, "✗ refused: ")
        if by_read_only(plan):
            lines.append(Line().add("  w", look.key).add(" leaves read-only for ten minutes", look.dim))
        lines.append(Line())
    lines.append(Line().add("DRY RUN", look.head))
    para(plan.summary, look.text, "  ")
    for warning in plan.warnings:
        para(warning, look.warn, "▲ ")
    total = sum(target.bytes or 0 for target in plan.targets)
    head = Line().add(f"TARGETS {len(plan.targets)}", look.head)
    if total:
        head.add(f"  {long_bytes(total)}", look.dim)
    lines += [Line(), head]
    for target in plan.targets:
        lines += _target(target.name, target.note, target.bytes, width, look)
    lines += [Line(), Line().add(f"STATEMENTS {len(plan.statements)}", look.head)]
    for statement in plan.statements:
        for text in clean_lines(statement):
            lines += [Line().gap(2).add(part, look.info) for part in wrap(text, width - 2)]
    return lines


def by_read_only(plan: Plan) -> bool:
    """Say whether leaving read-only would help."""
    return "read-only" in plan.refused.lower()


def _target(name: str, note: str, size: int | None, width: int, look: Palette) -> list[Line]:
    name, note = clean(name), clean(note)
    figure = "" if size is None else long_bytes(size)
    if "iB" in note:  # the note tells the size already
        figure = ""
    line = Line().gap(2)
    if len(name) + len(note) + len(figure) + 6 <= width:
        line.add(name, look.text).gap(2).add(note, look.dim)
        return [line.to(width - len(figure)).add(figure, look.text)]
    lines = [Line().gap(2).add(part, look.text) for part in wrap(name, width - 2)]
    lines += [Line().gap(4).add(part, look.dim) for part in wrap(note, width - 6 - len(figure))]
    if figure:
        lines[-1].to(width - len(figure)).add(figure, look.text)
    return lines


def progress_lines(operation: Operation, width: int, look: Palette) -> list[Line]:
    """Return progress, outcome or error; nothing before the start."""
    if not operation.started:
        return []
    lines = [Line()]
    outcome = operation.outcome
    if operation.running:
        filled, empty = bar(operation.done / operation.total if operation.total else 0.0, min(30, width // 2))
        line = Line().add("APPLYING ", look.warn).add(filled, look.info).add(empty, look.faint)
        line.add(f" {operation.done}/{operation.total}", look.text)
        lines += [line, Line().cell("  " + clean(operation.at_hand), width, look.dim)]
    elif operation.error:
        lines += [
            Line().add("✗ failed: " if not n else "  ", look.bad).add(part, look.bad)
            for n, part in enumerate(wrap(clean(operation.error), width - 10))
        ]
    elif outcome is not None:
        style = look.ok if outcome.ok else look.bad
        mark = "● done: " if outcome.ok else "✗ failed: "
        lines += [
            Line().add(mark if not n else "  ", style).add(part, look.text)
            for n, part in enumerate(wrap(clean(outcome.summary), width - 10))
        ]
        for name, reason in outcome.failed[:3]:
            lines += [
                Line().add("✗ " if not n else "  ", look.bad).add(part, look.bad)
                for n, part in enumerate(wrap(f"{clean(name)}: {clean(reason)}", width - 2))
            ]
        lines.append(Line().gap(2).add(f"audit {clean(outcome.audit_id)}", look.dim))
    return lines
