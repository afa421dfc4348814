"""Gives generated requests what they need to get far: tokens, names, assignments and addresses that exist, most of the time.

Environment: VECHE_URL, VECHE_KEY (the API key), VECHE_CALLS (file that gets the number of requests and of answers by status).
"""

import atexit
import collections
import json
import os
import random

import requests
import schemathesis

URL, KEY = os.environ["VECHE_URL"], os.environ["VECHE_KEY"]
dice = random.Random(7)
session = requests.Session()
statuses = collections.Counter()


def post(path, token, body):
    return session.post(URL + path, json=body, headers={"Authorization": token}, timeout=30).json()


class Annotator:
    """Somebody on the way: `steps` of consent, instructions and practice are behind them."""

    def __init__(self, steps):
        signed = post("/api/annotator/sign-up", "", {})
        self.name, self.token = signed["annotator"], f"Bearer {signed['token']}"
        self.assignments, self.pictures = [], []
        stage = "consent"
        for step in range(steps):
            if stage == "consent":
                stage = post("/api/annotator/consent", self.token, {"consent": True})["stage"]
            elif stage == "instructions":
                stage = post("/api/annotator/ready", self.token, {})["stage"]
            elif stage == "practice":
                task = post("/api/annotator/practice", self.token, {})
                if task["task"] is None:
                    stage = task["stage"]
                    continue
                answer = {"number": task["number"], "output": {"age": 30, "sex": "female"}}
                post("/api/annotator/practice/answer", self.token, answer)
            else:
                suite = post("/api/annotator/next", self.token, {})["suite"]
                if suite:
                    self.assignments.append(suite["assignment"])
                    self.pictures += [task["picture"].rsplit("/", 1)[1] for task in suite["tasks"]]


crowd = [Annotator(steps) for steps in (0, 1, 2, 3, 9, 9, 9, 9)]
throwaway = [Annotator(1) for _ in range(40)]


@schemathesis.hook
def before_call(context, case, **kwargs):
    path = case.operation.path
    who = dice.choice(crowd)
    if path.endswith("/erase"):
        who = dice.choice(throwaway)
    key = dice.choice(["ApiKey", "OAuth"])
    right = f"{key} {KEY}" if path.startswith("/api/requester") else who.token
    headers = dict(case.headers or {})
    headers["Authorization"] = dice.choices([right, "Bearer nonsense", ""], [0.85, 0.08, 0.07])[0]
    case.headers = headers
    if dice.random() < 0.3:
        return
    body = case.body if isinstance(case.body, dict) else {}
    if "assignment" in body and who.assignments:
        body["assignment"] = dice.choice(who.assignments)
    if "annotator" in body:
        body["annotator"] = who.name
    if "{name}" in path:
        pictures = [picture for one in crowd for picture in one.pictures]
        case.path_parameters["name"] = dice.choice(pictures) if path.startswith("/picture") else who.name


@schemathesis.hook
def after_call(context, case, response):
    statuses[response.status_code] += 1


@atexit.register
def tell():
    with open(os.environ["VECHE_CALLS"], "w", encoding="utf-8") as file:
        json.dump({"calls": sum(statuses.values()), "by_status": dict(sorted(statuses.items()))}, file)
