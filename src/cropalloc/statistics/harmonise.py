"""Harmonisation of one crop in one year over n levels (paper, Eq. 1-2, with residuals)."""

from __future__ import annotations

from dataclasses import dataclass, field

from cropalloc.statistics.tree import UnitTree
from cropbase.errors import InputError

REST = "~rest"


class UnknownTopError(InputError):
    """A crop has no figure of the nation, and its parts do not cover the nation."""


@dataclass(frozen=True)
class Options:
    """The switches of `statistics` that change the arithmetic."""

    missing: str = "unknown"
    direction: str = "top_down"
    plain_eq2: bool = False
    unknown_top: str = "refuse"
    rounding_tolerance: float = 1e-9


@dataclass(frozen=True)
class Target:
    """An area that must be placed somewhere in `leaves`."""

    target_id: str
    unit_id: str
    residual: bool
    harvested_ha: float
    leaves: tuple[str, ...]
    flag: str


@dataclass(frozen=True)
class Change:
    """A row of the audit; `before_ha` is None for what had no figure."""

    unit_id: str
    before_ha: float | None
    after_ha: float
    reason: str

    @property
    def factor(self) -> float | None:
        """after / before, or None."""
        return self.after_ha / self.before_ha if self.before_ha else None


@dataclass
class Harmonised:
    """Targets and audit of one crop and year; `total_ha` is what the targets sum to."""

    targets: list[Target] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    total_ha: float = 0.0
    unplaced_leaves: tuple[str, ...] = ()


def harmonise(
    tree: UnitTree, figures: dict[str, float], flags: dict[str, str], options: Options
) -> Harmonised:
    """Make the figures of all levels agree, and cut the nation into targets.

    Parameters
    ----------
    tree : units; those without cells are no targets.
    figures : unit -> hectares as reported (no missing values).
    flags : unit -> flag of its figure, carried to its target.
    options : see `StatisticsSettings`.

    Below a unit with area P stand the nearest units that have a figure (its children, or where a
    child has none, what lies below that child). If they cover all leaves of the unit they are
    scaled by P / sum (Eq. 1-2). If not, they keep their figures and P - sum is the residual of the
    rest; where they exceed P they are scaled down and the residual is zero. If they cover all
    leaves but are all zero under a positive P, they are set aside and P covers all. The targets
    partition the leaves, and sum to the nation's figure.

    Raises UnknownTopError if the top has no figure and its parts do not cover it (unless
    `unknown_top` is `known_part`: then leaves below no figure are in no target).
    """
    return _Run(tree, dict(figures), dict(flags), options).run()


class _Run:
    def __init__(
        self, tree: UnitTree, figures: dict[str, float], flags: dict[str, str], options: Options
    ) -> None:
        self.tree, self.figures, self.flags, self.options = tree, figures, flags, options
        self.hidden: dict[str, float] = {}  # figures of units without cells
        self.result = Harmonised()

    def run(self) -> Harmonised:
        if self.options.missing == "zero":
            self._assume_zeros()
        if self.options.direction == "bottom_up":
            self._sum_up()
        self._prune()
        for root in self.tree.roots:
            if not self.tree.has_cells(root):
                continue
            if root in self.figures:
                self.result.total_ha += self.figures[root]
                self._place(root, self.figures[root], self._flag(root))
            else:
                self._place_without_top(root)
        self.result.targets.sort(key=lambda target: target.target_id)
        return self.result

    def _change(self, unit_id: str, before: float | None, after: float, reason: str) -> None:
        self.result.changes.append(Change(unit_id, before, after, reason))

    def _flag(self, key: str) -> str:
        return self.flags.get(key, "reported")

    def _assume_zeros(self) -> None:
        """A unit of which nothing is known, beside a sibling of which something is: zero."""
        informed = set(self.figures)
        for key in reversed(self.tree.order):
            if key in informed and key in self.tree.parent:
                informed.add(self.tree.parent[key])
        for key in self.tree.order:
            children = self.tree.children[key]
            if not any(child in informed for child in children):
                continue
            for child in children:
                if child not in informed:
                    self.figures[child] = 0.0
                    self.flags[child] = "assumed_zero"
                    self._change(child, None, 0.0, "no figure beside reporting siblings: zero")

    def _sum_up(self) -> None:
        """Bottom-up: a parent all of whose children have figures is their sum."""
        for key in reversed(self.tree.order):
            children = self.tree.children[key]
            if not children or any(child not in self.figures for child in children):
                continue
            before = self.figures.get(key)
            total = sum(self.figures[child] for child in children)
            if before is None or not _same(before, total):
                self._change(key, before, total, f"sum of its {len(children)} children (bottom-up)")
                self.flags[key] = "summed_up"
            self.figures[key] = total

    def _prune(self) -> None:
        """Units without cells cannot be targets: their area stays with the rest of the parent."""
        for root in self.tree.roots:
            if not self.tree.has_cells(root) and self.figures.get(root, 0.0) > 0:
                raise InputError(
                    f"unit {root!r} of level 0 has {self.figures[root]:.10g} ha but no cells",
                    remedy="check that the grid covers it",
                )
        for key in self.tree.order:
            if self.tree.has_cells(key) or key not in self.figures:
                continue
            value = self.hidden[key] = self.figures.pop(key)
            above = self.tree.parent.get(key)
            hidden = above is not None and not self.tree.has_cells(above)
            if value > 0 and not hidden:
                reason = f"has no cells: its area goes to the other units of {above!r}"
                self._change(key, value, 0.0, reason)

    def _place_without_top(self, root: str) -> None:
        known = [k for k in self.tree.nearest(root, self.figures) if self.tree.has_cells(k)]
        covered = {leaf for key in known for leaf in self.tree.leaves[key]}
        rest = tuple(leaf for leaf in self.tree.leaves[root] if leaf not in covered)
        total = sum(self.figures[key] for key in known)
        if rest and self.options.unknown_top == "refuse":
            raise UnknownTopError(
                f"{root!r} has no figure, and {len(rest)} of its "
                f"{len(self.tree.leaves[root])} lowest units lie below no figure",
                given=f"figures of {', '.join(known[:6]) or 'no unit'}"
                + (", ..." if len(known) > 6 else ""),
            )
        if known:
            what = f"sum of {len(known)} known units"
            if rest:
                what += f"; {len(rest)} lowest units lie below no figure and get none of this crop"
            self._change(root, None, total, f"has no figure: {what}")
        self.result.total_ha += total
        self.result.unplaced_leaves += rest
        for key in known:
            self._place(key, self.figures[key], self._flag(key))

    def _place(self, key: str, area: float, flag: str) -> None:
        """Targets of a unit whose harmonised area is `area`."""
        tree, leaves = self.tree, self.tree.leaves[key]
        parts = [k for k in tree.nearest(key, self.figures) if tree.has_cells(k)]
        if not parts:
            self.result.targets.append(Target(key, key, False, area, leaves, flag))
            return
        covered = {leaf for part in parts for leaf in tree.leaves[part]}
        rest = tuple(leaf for leaf in leaves if leaf not in covered)
        total = sum(self.figures[part] for part in parts)
        around = self.tree.nearest(key, {**self.figures, **self.hidden})
        hidden = sum(self.hidden.get(unit, 0.0) for unit in around)
        divisor, residual, reason = self._balance(area, total, hidden, bool(rest))
        if divisor is None:
            for part in parts:
                self._change(part, self.figures[part], 0.0, f"set aside: {reason}")
            self._add_rest(key, area, leaves, reason)
            return
        if rest:
            self._add_rest(key, residual, rest, f"residual of {len(rest)} lowest units; {reason}")
        for part in parts:
            before = self.figures[part]
            # Shares first: area / divisor overflows where the figures are very small.
            after = area * (before / divisor) if divisor else before
            changed = not _same(before, after)
            if changed:
                text = f"{reason}: {area:.10g} ha of {key!r} / {divisor:.10g} ha of its parts"
                self._change(part, before, after, text)
            suffix = "+scaled" if changed else ""
            self._place(part, after, self._flag(part) + suffix)

    def _balance(
        self, area: float, total: float, hidden: float, has_rest: bool
    ) -> tuple[float | None, float, str]:
        """How a unit's area meets its known parts.

        `total` is the sum of the parts with cells, `hidden` that of the parts without, whose share
        goes to the residual. Returns what the parts are divided by (None: they are set aside, 0:
        they keep their figures), the residual, and the reason.
        """
        if not has_rest:
            if total > 0:
                return total, 0.0, "scaled to the parent (Eq. 1-2)"
            if area > 0:
                return None, area, "all parts are zero under a positive parent"
            return 0.0, 0.0, ""
        known = total + hidden
        if total <= 0:
            return 0.0, area, "the parent less its known parts"
        gap = area - known
        if self.options.plain_eq2:
            reason = "scaled to the parent, gaps or not (plain Eq. 2)"
        elif abs(gap) <= self.options.rounding_tolerance * area:
            reason = f"the difference of {gap:.3g} ha is rounding and set to zero"
        elif gap < 0:
            reason = "scaled down: the known parts exceed the parent"
        else:
            return 0.0, area - total, "the parent less its known parts"
        if hidden:
            reason += f" ({hidden:.10g} ha of units without cells are the residual)"
        return known, area * (hidden / known), reason

    def _add_rest(self, key: str, area: float, leaves: tuple[str, ...], reason: str) -> None:
        self._change(key + REST, None, area, reason)
        self.result.targets.append(Target(key + REST, key, True, area, leaves, "residual"))


def _same(before: float, after: float) -> bool:
    """Equal but for the last digits of floating-point arithmetic."""
    return abs(after - before) <= 1e-12 * max(abs(before), abs(after))
