"""Collects every error message of the code into ``docs/errors.md``:  python -m tests.docs.errors_page"""

import ast
from pathlib import Path

import dynsearch.errors

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "errors.md"
BAD_USAGE = {"UsageError", "BadParameter"}
PASSED = {"error": "InputError", "ValueError": "InputError"}
"""Called when raised: a class that the caller chose, and what pydantic shows as one of ours."""
OURS = {name for name in vars(dynsearch.errors) if name.endswith("Error")}

HEAD = """# Every error message

Generated from the source by `make errors`; `{...}` stands for what was seen. An error names the place and the problem,
and in bold what to do. Those under *bad usage* and most others end a command with exit code 2; `TrainingError`,
`DynsearchError` and `StudyFailedError` with 1.
"""


def text_of(node):
    """Return a message as it is written, with the expressions it holds in braces."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return "{" + ast.unparse(node.value) + "}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    if isinstance(node, ast.IfExp):
        return " / ".join(filter(None, (text_of(node.body), text_of(node.orelse))))
    return "" if node is None or ast.unparse(node) == "None" else "{" + ast.unparse(node) + "}"


def name_of(call):
    """Return the last name of what is called."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def messages_in(path):
    """Yield (kind, text, hint) of every error that a file makes, in its order."""
    tree = ast.parse(path.read_text())
    raised = {id(node.exc) for node in ast.walk(tree) if isinstance(node, ast.Raise)}
    raised |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Return)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: node.lineno):
        name = name_of(call)
        if name in PASSED and id(call) in raised:
            name = PASSED[name]
        if name not in OURS | BAD_USAGE or not call.args or name == "InfeasibleBudgetError":
            continue
        where, hint = (
            next((text_of(word.value) for word in call.keywords if word.arg == argument), "")
            for argument in ("where", "hint")
        )
        problem = text_of(call.args[0])
        if problem in ("{error.problem}", "{describe(error)}"):
            continue  # Passed on with its place, or pydantic's own words.
        yield ("bad usage" if name in BAD_USAGE else name), f"{where}: {problem}" if where else problem, hint


def page():
    """Return the whole page."""
    parts = [HEAD]
    for path in sorted((ROOT / "dynsearch").rglob("*.py")):
        rows = [
            f"* *{kind}*: {' '.join(text.split())}" + (f" **{' '.join(hint.split())}**" if hint else "")
            for kind, text, hint in messages_in(path)
        ]
        if rows:
            parts.append(
                f"\n## {path.relative_to(ROOT / 'dynsearch')}\n\n" + "\n".join(dict.fromkeys(rows)) + "\n"
            )
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
