"""Checks arithmetic over sizes, as torch writes it into a .pt2: only what is cheap to evaluate is allowed.

torch hands the text to sympy, which evaluates what has no symbols at once: 9**9**9**9 never ends, Matrix(9999, 9999, 1) takes
all memory. So functions are those that torch writes, and powers have small exponents that stand in the text.
"""

import ast
import re

# torch/utils/_sympy/functions.py, and sympy's own that torch prints sizes with (str and srepr).
_FUNCTION = re.compile(
    r"Symbol|Integer|Rational|Add|Mul|Pow|Mod|Abs|Max|Min|max|min|floor|ceiling|sqrt|log2?"
    r"|Eq|Ne|Lt|Le|Gt|Ge|Equality|Unequality|StrictLessThan|LessThan|StrictGreaterThan|GreaterThan"
    r"|And|Or|Not|Xor|ITE|Piecewise|ExprCondPair|Identity|Where"
    r"|CeilDiv|CleanDiv|FloorDiv|IntTrueDiv|FloatTrueDiv|PythonMod|ModularIndexing"
    r"|CeilToInt|FloorToInt|RoundToInt|RoundDecimal|TruncToInt|TruncToFloat|ToFloat"
    r"|FloatPow|PowByNatural|LShift|RShift|IsNonOverlappingAndDenseIndicator"
    r"|OpaqueUnaryFn_\w+|BitwiseFn_\w+"
)
_DOUBLE = re.compile(r"-?\d{1,20}(\.\d{1,20})?(e[+-]\d{1,3})?")
_POWERS = ("Pow", "FloatPow", "PowByNatural", "LShift", "RShift")
_OPERATORS = (ast.Pow, ast.LShift, ast.RShift)
_LARGEST_POWER = 64  # of a size; tensors have a handful of axes


# What guards call by module, as Python prints sizes.
_IN_MODULES = re.compile(r"math\.(trunc|floor|ceil|sqrt)|torch\.sym_(float|int|max|min)")


def is_module_function(node: ast.Attribute) -> bool:
    """`math.trunc` or `torch.sym_float`."""
    return isinstance(node.value, ast.Name) and bool(_IN_MODULES.fullmatch(f"{node.value.id}.{node.attr}"))


def is_float(node: ast.AST) -> bool:
    """`Float('1.5', precision=53)`, as torch writes a double."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Float"
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
        and bool(_DOUBLE.fullmatch(node.args[0].value))
        and [(k.arg, ast.unparse(k.value)) for k in node.keywords] == [("precision", "53")]
    )


def is_function(name: str) -> bool:
    return bool(_FUNCTION.fullmatch(name))


def is_short_to_compute(tree: ast.AST) -> bool:
    """Whether powers and shifts, those inside others multiplied, are numbers up to 64."""
    try:
        return _power(tree) <= _LARGEST_POWER
    except RecursionError:
        return False


def _power(node: ast.AST) -> float:
    """The largest power to which anything in `node` is raised; infinite where that does not stand there as a number."""
    split = _base_and_exponent(node)
    if split is None:
        return max((_power(child) for child in ast.iter_child_nodes(node)), default=1.0)
    base, exponent = split
    return max(1.0, abs(_number(exponent))) * _power(base)


def _base_and_exponent(node: ast.AST) -> "tuple[ast.AST, ast.AST] | None":
    if isinstance(node, ast.BinOp) and isinstance(node.op, _OPERATORS):
        return node.left, node.right
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _POWERS:
        # Keywords, or another number of arguments, are not what torch writes.
        plain = len(node.args) == 2 and not node.keywords
        return (node.args[0], node.args[1]) if plain else (ast.Constant(1), ast.Name("unknown"))
    return None


def _number(node: ast.AST) -> float:
    """The size of 2, -2, 0.5, 1/2, Integer(2), Rational(1, 2); infinite for all else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        return _number(node.operand)
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        return abs(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return max(_whole(node.left), _whole(node.right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Rational":
        return max((_whole(argument) for argument in node.args), default=float("inf"))
    return _whole(node)


def _whole(node: ast.AST) -> float:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        return _whole(node.operand)
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return abs(node.value) if abs(node.value) <= _LARGEST_POWER else float("inf")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Integer":
        return max((_whole(argument) for argument in node.args), default=float("inf"))
    return float("inf")
