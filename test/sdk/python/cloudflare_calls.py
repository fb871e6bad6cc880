"""Makes single calls of the reference's own SDK, by the protocol of driver.py: the scenario is a method's name below
client.ai_gateway, in the words of JavaScript; args are the values of the path in its order and the other
parameters. The scenario "methods" lists all methods that there are."""

import json
import re
import sys
import warnings

import cloudflare
from cloudflare._base_client import BaseSyncPage
from cloudflare._models import BaseModel
from cloudflare._resource import SyncAPIResource


warnings.simplefilter("ignore")  # the SDK calls what it is called for deprecated


def client_of(base):
    return cloudflare.Cloudflare(api_token="token-of-the-operator", base_url=base)


def methods_of(resource, path=""):
    names = []
    for name in dir(type(resource)):
        if name.startswith("_") or name.startswith("with_"):
            continue
        value = getattr(resource, name)
        if isinstance(value, SyncAPIResource):
            names += methods_of(value, path + name + ".")
        elif callable(value):
            names.append(path + name)
    return names


def plain(value):
    if isinstance(value, BaseSyncPage):
        return [plain(item) for item in value]  # all pages
    if isinstance(value, BaseModel):
        return value.to_dict(mode="json", warnings=False)
    return value


def make(base, name, args):
    resource = client_of(base).ai_gateway
    *parts, method = re.sub(r"([A-Z])", lambda m: "_" + m.group(1).lower(), name).split(".")
    for part in parts:
        resource = getattr(resource, part)
    path, params = args["path"], dict(args["params"])
    params.update({key: value for key, value in path[:-1]})
    positional = [path[-1][1]] if path else []
    return plain(getattr(resource, method)(*positional, **params))


for line in sys.stdin:
    call = json.loads(line)
    try:
        if call["scenario"] == "methods":
            result = methods_of(client_of(call["base"]).ai_gateway)
        else:
            result = make(call["base"], call["scenario"], call["args"])
        answer = {"result": result}
    except cloudflare.APIError as e:
        body = getattr(e, "body", None)
        errors = body.get("errors") if isinstance(body, dict) else None
        code = errors[0].get("code", 0) if errors else 0
        answer = {"error": {"name": type(e).__name__, "status": getattr(e, "status_code", 0), "code": code, "message": str(e)}}
    except Exception as e:
        answer = {"error": {"name": type(e).__name__, "status": 0, "code": 0, "message": str(e)}}
    print(json.dumps(answer), flush=True)
