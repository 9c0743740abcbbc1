"""The words in which the descriptions are written: each gives a piece of JSON Schema (draft 2020-12)."""

SCHEMA = "https://json-schema.org/draft/2020-12/schema"


def note(schema, description):
    """The same with a description. Beside a $ref that is allowed since draft 2019-09."""
    return {**schema, "description": description}


def text(description=None, **more):
    return _described({"type": "string", **more}, description)


def whole(description=None, minimum=0, **more):
    """A whole number."""
    return _described({"type": "integer", "minimum": minimum, **more}, description)


def number(description=None, **more):
    return _described({"type": "number", **more}, description)


def yes_no(description=None):
    return _described({"type": "boolean"}, description)


def always(value, description=None):
    return _described({"const": value}, description)


def one_of(*values, description=None):
    """No other value will ever stand here."""
    return _described({"type": "string", "enum": list(values)}, description)


def known(*values, description=None):
    """The values there are today. Readers must expect others, so it is no enum; the checks of our own tests treat
    it as one."""
    return _described({"type": "string", "x-extensible-enum": list(values)}, description)


def array(items, description=None, **more):
    return _described({"type": "array", "items": items, **more}, description)


def mapping(values, description=None):
    return _described({"type": "object", "additionalProperties": values}, description)


def anything(description=None):
    return _described({}, description)


def ref(name):
    return {"$ref": f"#/$defs/{name}"}


def nullable(schema):
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def obj(members, description=None, is_open=False):
    """An object. A name that ends with `?` may be missing. Readers must pass over members that are not named here;
    the checks of our own tests allow them only where `is_open` says that anything may stand."""
    schema = {"type": "object"}
    required = [name for name in members if not name.endswith("?")]
    schema["properties"] = {name.removesuffix("?"): value for name, value in members.items()}
    if required:
        schema["required"] = required
    if is_open:
        schema["additionalProperties"] = True
    return _described(schema, description)


def optional(members):
    """The same members, none required and each allowed to be null: null counts as missing in what clients send."""
    return {name.removesuffix("?") + "?": nullable(value) for name, value in members.items()}


def given(members):
    """Members of a request: those with `?` may be missing, or null."""
    return {name: nullable(value) if name.endswith("?") else value for name, value in members.items()}


def union(*names):
    return {"oneOf": [ref(name) for name in names]}


def _described(schema, description):
    return {**schema, "description": description} if description else schema
