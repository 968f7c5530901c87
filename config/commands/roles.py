"""``collect``, ``work``, ``store``, ``watch`` and ``web``: one role in a process of its own."""

import argparse
import logging
from typing import TypeAlias

from config import settings
from config.commands.arguments import port

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

ROLES = {
    "collect": "reads every configured source into Kafka",
    "work": "enriches posts: repeats, labels, links",
    "store": "keeps feedback in the warehouse",
    "watch": "proposes incidents and links what came late",
}
TOLD = {
    "collect": """Reads every configured source and writes what it finds to Kafka; resumes right
after the last post that Kafka acknowledged.""",
    "work": """Reads posts from Kafka, finds repeats, labels and links them, and writes feedback
back. As many as there are partitions may run at once; several need [repeats] url.""",
    "store": """Writes feedback, links, incidents and decisions from Kafka to the server warehouse.
Several may run at once.""",
    "watch": """Counts witnesses, proposes incidents before anyone opens one, and links older posts
when an incident opens or changes. One is enough.""",
}


def register(commands: Commands) -> None:
    """Adds the commands of this file."""
    needs = " Needs Kafka and a server warehouse; `up` needs neither."
    for name, short in ROLES.items():
        role = commands.add_parser(name, help=short, description=TOLD[name] + needs)
        role.add_argument(
            "--health-port",
            type=port,
            metavar="N",
            help="answer /metrics, /livez and /readyz there, and print the address; 0: a free port",
        )
        role.set_defaults(run=run_role, role=name)
    web = commands.add_parser(
        "web",
        help="the page over the server warehouse",
        description="Serves the page on this machine and prints its address." + needs,
    )
    web.add_argument("--port", type=port, metavar="N", help="the page's port; 0 takes a free one")
    web.set_defaults(run=run_web)


def run_role(options: argparse.Namespace) -> int:
    """Runs one role until it is stopped."""
    from config import solo

    logging.getLogger().setLevel(logging.INFO)
    known = settings.load(options.config)
    if options.health_port is not None:
        health = settings.HealthSettings(host=known.health.host, port=options.health_port)
        known = known.model_copy(update={"health": health})
    solo.run(known, options.role)
    return 0


def run_web(options: argparse.Namespace) -> int:
    """Serves the page until it is stopped."""
    from config import solo

    logging.getLogger().setLevel(logging.INFO)
    known = settings.load(options.config)
    if options.port is not None:
        web = settings.WebSettings(host=known.web.host, port=options.port)
        known = known.model_copy(update={"web": web})
    solo.serve(known)
    return 0
