"""What every warehouse must answer about the crowd and the official word, and about rumours."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.model import (
    Campaign,
    Component,
    Evidence,
    Feedback,
    Incident,
    Label,
    StatusAt,
    Update,
)
from pipeline.ports import Row, Rows, Warehouse
from tests.contracts.warehouse_words import (
    OFFICIAL,
    PROPOSAL,
    START,
    decision,
    feedback,
    link,
    minutes,
    view,
)

Make = Callable[[], Warehouse]
#: The official incident begins an hour after the start of the world, so that a day before it can be
#: told apart, and is closed two hours later.
OPENED, CLOSED = 60 * 30, 60 * 32


def said(number: int, at: float, *, to: str | None = None, **names: str) -> Feedback:
    """A post about an incident, or about none; ``claim`` is what it claims."""
    claim, lies_in = names.pop("claim", None), names.pop("lies_in", None)
    word = feedback(
        number,
        at=at,
        intent=names.pop("intent", "report"),
        links=[link(to)] if to else [],
        tracks=(names.pop("track", "acme"),),
    )
    labels = {head: label for head, label in word.labels.items() if head != "component"}
    labels |= {head: Label(name=name, p=0.9, sure=True) for head, name in names.items()}
    if lies_in:
        where = [("place", names["place"]), ("within", lies_in)]
        told = tuple(Evidence(kind=kind, value=value, weight=0) for kind, value in where)
        labels["place"] = labels["place"].model_copy(update={"evidence": told})
    if claim:
        reason = Evidence(kind=claim, value="got hacked", weight=0.6)
        labels["claim"] = Label(name=claim, p=0.6, sure=False, evidence=(reason,))
    return word.model_copy(update={"labels": labels})


def many(first: int, count: int, at: float, *, to: str | None = None, **names: str) -> list[Any]:
    """So many people within half an hour."""
    return [said(first + n, at + 30 * n / count, to=to, **names) for n in range(count)]


def official(**fields: Any) -> Incident:
    """The official incident, closed unless ``resolved_at`` is None."""
    ended = fields.pop("resolved_at", minutes(CLOSED))
    steps = [StatusAt(at=minutes(OPENED), status="investigating")]
    if ended is not None:
        steps.append(StatusAt(at=ended, status="resolved"))
    given = {
        "id": OFFICIAL,
        "title": "Delayed messages",
        "status": steps[-1].status,
        "started_at": minutes(OPENED),
        "resolved_at": ended,
        "history": tuple(steps),
        "at": steps[-1].at,
        "tracks": ("acme",),
        "components": (Component(name="Messages"),),
    }
    return Incident(**(given | fields))


def proposal(key: str, *, track: str = "acme", topic: str, opened: float = OPENED) -> Incident:
    """A proposal of ours that began at a minute."""
    return Incident(
        id=key,
        title="Reports of trouble",
        status="proposed",
        started_at=minutes(opened),
        history=(StatusAt(at=minutes(opened + 5), status="proposed"),),
        at=minutes(opened + 5),
        tracks=(track,),
        topic=topic,
    )


class CrowdContract:
    """The part of the contract that holds the crowd against the official word."""

    @pytest.fixture
    def warehouse(self, make: Make) -> Warehouse:
        return make()

    def hours(self, warehouse: Warehouse, incident_id: str = OFFICIAL) -> dict[int, Row]:
        """The rows of an incident in the view, by hours since it was opened; the page agrees."""
        rows = [r for r in view(warehouse, "crowd") if r["incident_id"] == incident_id]
        page = warehouse.rows("incident_crowd", id=incident_id)
        for of_view, of_page in zip(sorted(rows, key=lambda r: r["hour"]), page, strict=True):
            assert {name: of_page[name] for name in of_view} == of_view
        return {int((r["hour"] - minutes(OPENED)).total_seconds() // 3600): r for r in rows}

    def test_the_crowd_agrees_or_is_ahead(self, warehouse: Warehouse) -> None:
        """Reports from before the opening are ahead of it, those while it is open agree."""
        words = many(1, 4, OPENED - 40, to=OFFICIAL) + many(10, 4, OPENED + 5, to=OFFICIAL)
        warehouse.write(Rows(incidents=[official()], feedback=words), START)
        found = self.hours(warehouse)
        assert {hour: row["stance"] for hour, row in found.items()} == {-1: "ahead", 0: "agrees"}
        assert found[-1]["witnesses"] == found[0]["witnesses"] == 4

    def test_a_proposal_is_ahead_until_it_is_official(self, warehouse: Warehouse) -> None:
        """Nobody official has said anything: the crowd is ahead."""
        words = many(1, 5, OPENED, to=PROPOSAL)
        warehouse.write(Rows(incidents=[proposal(PROPOSAL, topic="login")], feedback=words), START)
        assert [row["stance"] for row in self.hours(warehouse, PROPOSAL).values()] == ["ahead"]

    def test_a_proposal_has_the_witnesses_it_was_made_from(self, warehouse: Warehouse) -> None:
        """Its reports count although few are linked for certain; those of an official one not."""
        ours = proposal(PROPOSAL, topic="login").model_copy(update={"witnesses": 4})
        words = [
            said(1, OPENED, to=PROPOSAL),
            feedback(2, at=OPENED, links=[link(PROPOSAL, 0.5, "suggested")]),
            feedback(3, at=OPENED, links=[link(OFFICIAL, 0.5, "suggested")]),
        ]
        warehouse.write(Rows(incidents=[ours, official()], feedback=words), START)
        rows = {row["incident_id"]: row["witnesses"] for row in view(warehouse, "incidents")}
        assert rows == {PROPOSAL: 4, OFFICIAL: 0}
        (page,) = warehouse.rows("incident", id=PROPOSAL)
        assert page["witnesses"] == 4
        assert [row["witnesses"] for row in self.hours(warehouse, PROPOSAL).values()] == [2]
        assert self.hours(warehouse) == {}

    def test_still_broken_after_resolved(self, warehouse: Warehouse) -> None:
        """Fresh reports of the same matter contradict the official end; both sides are counted."""
        during = many(1, 5, OPENED + 10, to=OFFICIAL, topic="messaging", component="Messages")
        after = many(20, 6, CLOSED + 2, topic="messaging")
        well = many(40, 2, CLOSED + 2, intent="recovery", topic="other")
        other = many(60, 9, CLOSED + 2, topic="billing", component="Checkout")
        elsewhere = many(80, 9, CLOSED + 2, track="nordwind", topic="messaging")
        copies = many(90, 5, CLOSED + 2, intent="complaint", topic="messaging")
        words = [*during, *after, *well, *other, *elsewhere, *copies]
        warehouse.write(Rows(incidents=[official()], feedback=words), START)
        row = self.hours(warehouse)[2]
        assert (row["stance"], row["still_broken"], row["recovered"]) == ("contradicts", 6, 2)
        (*_, last) = warehouse.rows("incident_crowd", id=OFFICIAL)
        assert (last["broken_since"], last["recovered_since"]) == (6, 2)
        assert (last["witnesses_in_all"], last["recovered_in_all"]) == (11, 2)

    def test_what_is_always_said_contradicts_nothing(self, warehouse: Warehouse) -> None:
        """After the end as many complain as on the day before: that is no contradiction."""
        usual = [said(200 + n, OPENED - 24 * 60 + n * 10, topic="messaging") for n in range(120)]
        words = [
            *many(1, 5, OPENED + 10, to=OFFICIAL, topic="messaging"),
            *many(20, 6, CLOSED + 2, topic="messaging"),
            *usual,
        ]
        warehouse.write(Rows(incidents=[official()], feedback=words), START)
        row = self.hours(warehouse)[2]
        assert row["stance"] == "agrees"
        assert row["normal"] == pytest.approx(120 / 24, abs=1)

    def test_regions_and_components_left_out(self, warehouse: Warehouse) -> None:
        """Three people from a place, or about a part, that the official word does not name."""
        told = official(
            regions=("Leeds",),
            resolved_at=None,
            updates=(Update(body="Also seen in York.", display_at=minutes(OPENED)),),
        )
        uk, part = {"lies_in": "United Kingdom"}, {"to": OFFICIAL}
        words = [
            *many(1, 3, OPENED + 1, **part, **uk, place="Leeds", component="Messages"),
            *many(10, 3, OPENED + 1, **part, **uk, place="Glasgow", component="Login"),
            *many(20, 3, OPENED + 1, **part, **uk, place="York"),
            *many(30, 2, OPENED + 1, **part, **uk, place="Bath", component="Video"),
            *many(40, 3, OPENED + 1, **part, place="United Kingdom"),
        ]
        warehouse.write(Rows(incidents=[told], feedback=words), START)
        row = self.hours(warehouse)[0]
        assert row["stance"] == "contradicts"
        assert (row["unnamed_regions"], row["unnamed_components"]) == (["Glasgow"], ["Login"])

    @pytest.mark.parametrize("region", ["Scotland", "United Kingdom", "eu-west-2"])
    def test_a_town_is_not_left_out_of_its_country(self, warehouse: Warehouse, region: str) -> None:
        """Nor of its region, nor where the official word names regions that nobody else knows."""
        told = official(regions=(region,), resolved_at=None)
        where = {"place": "Glasgow", "lies_in": "Scotland, United Kingdom"}
        words = [
            *many(1, 5, OPENED + 1, to=OFFICIAL, **where),
            *many(10, 5, OPENED + 1, to=OFFICIAL, place="Scotland"),
        ]
        warehouse.write(Rows(incidents=[told], feedback=words), START)
        row = self.hours(warehouse)[0]
        assert (row["stance"], row["unnamed_regions"]) == ("agrees", [])

    def test_the_same_on_other_tracks(self, warehouse: Warehouse) -> None:
        """The same topic on another track at the same time: it may be a third party's fault."""
        ours, theirs = PROPOSAL, "groundswell:nordwind-20260303T1500"
        quiet = "groundswell:fernwick-20260303T1500"
        incidents = [
            proposal(ours, topic="network"),
            proposal(theirs, track="nordwind", topic="network", opened=OPENED + 10),
            proposal(quiet, track="fernwick", topic="billing"),
        ]
        words = [
            *many(1, 5, OPENED, to=ours),
            *many(10, 5, OPENED, to=theirs, track="nordwind"),
            *many(20, 5, OPENED, to=quiet, track="fernwick"),
        ]
        warehouse.write(Rows(incidents=incidents, feedback=words), START)
        (one,) = self.hours(warehouse, ours).values()
        (other,) = self.hours(warehouse, quiet).values()
        assert (one["stance"], one["other_tracks"]) == ("elsewhere", ["nordwind"])
        assert (other["stance"], other["other_tracks"]) == ("ahead", [])
        warehouse.write(Rows(decisions=[decision("d1", "dismiss", theirs, at=OPENED)]), START)
        (one,) = self.hours(warehouse, ours).values()
        assert one["stance"] == "ahead"  # its own few reports are no sign

    def test_the_same_on_other_tracks_before_any_proposal(self, warehouse: Warehouse) -> None:
        """Reports alone tell it, also of an official incident; where the owner speaks is told."""
        theirs = official(id="statuspage:9", tracks=("nordwind",), resolved_at=None)
        words = [
            *many(1, 4, OPENED + 1, to=OFFICIAL, topic="network", component="Messages"),
            *many(10, 5, OPENED - 10, track="nordwind", topic="network"),
            *many(20, 4, OPENED - 10, track="fernwick", topic="network"),
            *many(30, 9, OPENED - 10, track="birchtel", topic="billing"),
        ]
        warehouse.write(Rows(incidents=[official(resolved_at=None)], feedback=words), START)
        row = self.hours(warehouse)[0]
        assert (row["stance"], row["other_tracks"]) == ("elsewhere", ["nordwind"])
        assert row["other_official"] == []
        warehouse.write(Rows(incidents=[theirs]), START)
        row = self.hours(warehouse)[0]
        assert (row["other_tracks"], row["other_official"]) == (["nordwind"], ["nordwind"])

    def test_posts_about_both_are_no_sign(self, warehouse: Warehouse) -> None:
        """A company and its shop are named together whatever happens."""
        words = many(1, 9, OPENED + 1, to=OFFICIAL, topic="network")
        both = [
            word.model_copy(
                update={"mention": word.mention.model_copy(update={"tracks": ("acme", "shop")})}
            )
            for word in words
        ]
        warehouse.write(Rows(incidents=[official(resolved_at=None)], feedback=both), START)
        assert self.hours(warehouse)[0]["stance"] == "agrees"

    def test_what_is_always_said_elsewhere_is_no_sign(self, warehouse: Warehouse) -> None:
        """A track on which as much is reported every hour has not failed at the same time."""
        usual = [
            said(100 + n, OPENED - 24 * 60 + n * 5, track="nordwind", topic="network")
            for n in range(300)
        ]
        words = [*many(1, 4, OPENED + 1, to=OFFICIAL, topic="network"), *usual]
        warehouse.write(Rows(incidents=[official(resolved_at=None)], feedback=words), START)
        row = self.hours(warehouse)[0]
        assert (row["stance"], row["other_tracks"]) == ("agrees", [])

    def test_the_page_and_the_crowd_count_by_one_rule(self, warehouse: Warehouse) -> None:
        """The witnesses of an incident are those that its crowd counts, proposals included."""
        words = [
            *many(1, 3, OPENED, to=PROPOSAL),
            *(
                feedback(10 + n, at=OPENED, links=[link(PROPOSAL, 0.5, "suggested")])
                for n in range(4)
            ),
            *many(20, 3, OPENED, to=OFFICIAL),
            feedback(30, at=OPENED, links=[link(OFFICIAL, 0.5, "suggested")]),
        ]
        incidents = [proposal(PROPOSAL, topic="login"), official(resolved_at=None)]
        warehouse.write(Rows(incidents=incidents, feedback=words), START)
        rows = {r["incident_id"]: r for r in view(warehouse, "incidents")}
        for key, people, posts in ((PROPOSAL, 7, 3), (OFFICIAL, 3, 3)):
            (*_, newest) = warehouse.rows("incident_crowd", id=key)
            (page,) = warehouse.rows("incident", id=key)
            assert newest["witnesses_in_all"] == page["witnesses"] == rows[key]["witnesses"]
            assert (page["witnesses"], page["mentions"]) == (people, posts)

    def test_what_was_said_since_it_ended(self, warehouse: Warehouse) -> None:
        """Posts that report it still broken, to be read aloud beside that; nothing from before."""
        during = many(1, 5, OPENED + 10, to=OFFICIAL, topic="messaging")
        after = many(20, 3, CLOSED + 2, topic="messaging")
        well = many(40, 2, CLOSED + 2, intent="recovery")
        warehouse.write(Rows(incidents=[official()], feedback=[*during, *after, *well]), START)
        rows = warehouse.rows("incident_since", id=OFFICIAL)
        assert [row["id"] for row in rows] == ["x:20", "x:21", "x:22"]
        assert all(row["is_report"] and row["text"] for row in rows)

    def test_what_is_set_aside_witnesses_nothing(self, warehouse: Warehouse) -> None:
        """Marked posts stay linked and are told apart; no count of people has them."""
        words = many(1, 9, OPENED + 1, to=OFFICIAL, topic="network", track="acme")
        aside = [
            *(Campaign(mention=f"x:{n}", kind="variants") for n in range(4, 8)),
            Campaign(mention="x:8", kind="new_accounts"),
            Campaign(mention="x:9", mention_version=7, kind="hashtag"),  # of a version to come
            Campaign(mention="x:99", kind="hashtag"),  # before its mention
        ]
        warehouse.write(Rows(campaigns=aside), START)
        warehouse.write(Rows(campaigns=aside[:2]), START)
        warehouse.write(Rows(incidents=[official(resolved_at=None)], feedback=words), START)
        (page,) = warehouse.rows("incident", id=OFFICIAL)
        (row,) = self.hours(warehouse).values()
        (listed,) = (r for r in view(warehouse, "incidents") if r["incident_id"] == OFFICIAL)
        assert page["witnesses"] == row["witnesses"] == listed["witnesses"] == 4
        assert page["mentions"] == 9
        found = {r["id"]: (r["is_report"], r["campaign"]) for r in view(warehouse, "feedback")}
        assert found["x:3"] == (True, None)
        assert found["x:4"] == (False, "variants")
        assert found["x:9"] == (True, None)
        assert sum(r["witnesses"] for r in view(warehouse, "mentions_hourly")) == 4
        hourly = warehouse.rows("witnesses_hourly", from_at=START, to_at=minutes(CLOSED))
        assert sum(r["witnesses"] for r in hourly) == 4
        told = warehouse.rows("incident_campaigns", id=OFFICIAL)
        assert [(r["kind"], r["posts"], r["accounts"]) for r in told] == [
            ("variants", 4, 4),
            ("new_accounts", 1, 1),
        ]

    def test_a_campaign_of_another_incident_is_not_told(self, warehouse: Warehouse) -> None:
        """What belongs to another incident of the track is told there; what to none, here."""
        other = official(id="statuspage:8")
        words = [*many(1, 3, OPENED + 1, to="statuspage:8"), *many(10, 2, OPENED + 1)]
        aside = [Campaign(mention=word.mention.id, kind="hashtag") for word in words]
        incidents = [official(resolved_at=None), other]
        warehouse.write(Rows(incidents=incidents, feedback=words, campaigns=aside), START)
        (here,) = warehouse.rows("incident_campaigns", id=OFFICIAL)
        (there,) = warehouse.rows("incident_campaigns", id="statuspage:8")
        assert (here["posts"], there["posts"]) == (2, 5)

    def test_rumours(self, warehouse: Warehouse) -> None:
        """Claims are counted by people, with the first time, apart for an incident and for none."""
        words = [
            said(1, OPENED + 5, to=OFFICIAL, claim="hacked", intent="other"),
            said(2, OPENED + 3, to=OFFICIAL, claim="hacked", intent="question"),
            said(3, OPENED + 9, claim="hacked"),
            said(4, OPENED + 1, claim="hacked", noise="yes"),
            said(5, OPENED + 1, claim="sabotage", track="nordwind"),
            said(6, OPENED + 1, to=OFFICIAL),
        ]
        warehouse.write(Rows(incidents=[official()], feedback=words), START)
        rows = {(r["incident_id"], r["track"], r["claim"]): r for r in view(warehouse, "rumours")}
        assert {key: row["witnesses"] for key, row in rows.items()} == {
            (OFFICIAL, "acme", "hacked"): 2,
            (None, "acme", "hacked"): 1,
            (None, "nordwind", "sabotage"): 1,
        }
        first = rows[OFFICIAL, "acme", "hacked"]
        assert (first["first_seen_at"], first["first_id"]) == (minutes(OPENED + 3), "x:2")
        (page,) = warehouse.rows("incident_rumours", id=OFFICIAL)
        assert (page["claim"], page["witnesses"]) == ("hacked", 3)

    def test_what_the_owner_says_is_no_rumour(self, warehouse: Warehouse) -> None:
        """Once an official word of the track says so, the claim is no rumour any more."""
        words = [said(1, OPENED + 5, claim="hacked"), said(2, OPENED + 5, claim="insolvent")]
        for body in ("We see unauthorised access.", "Investigamos un ciberataque."):
            update = Update(body=body, display_at=minutes(OPENED + 30))
            told = official(updates=(update,))
            warehouse.write(Rows(incidents=[told], feedback=words), START)
            assert [row["claim"] for row in view(warehouse, "rumours")] == ["insolvent"]

    def test_a_denial_ends_no_rumour(self, warehouse: Warehouse) -> None:
        """The owner says that it is not so: people go on claiming it, and that stays visible."""
        update = Update(body="We were not hacked.", display_at=minutes(OPENED + 30))
        rows = Rows(
            incidents=[official(updates=(update,))], feedback=[said(1, OPENED, claim="hacked")]
        )
        warehouse.write(rows, START)
        assert [row["claim"] for row in view(warehouse, "rumours")] == ["hacked"]

    def test_witnesses_by_the_hour(self, warehouse: Warehouse) -> None:
        """People, not posts, by track, topic and place; whoever reports nothing is not counted."""
        words = [
            said(1, 5, topic="login", place="Leeds"),
            said(2, 10, topic="login", place="Leeds"),
            said(3, 70, topic="login"),
            said(4, 5, intent="praise", topic="login"),
            said(5, 5, noise="yes"),
            feedback(6, at=5, author="a1", tracks=("acme",), repeat="near", group=6),
            feedback(7, at=5, repeat="copy", group=1),
            feedback(8, at=500),
        ]
        warehouse.write(Rows(feedback=words), START)
        rows = warehouse.rows("witnesses_hourly", from_at=START, to_at=minutes(120))
        found = {(r["track"], r["topic"], r["place"], r["hour"]): r["witnesses"] for r in rows}
        assert found == {
            ("acme", "login", "Leeds", START): 2,
            ("acme", "login", None, minutes(60)): 1,
            ("acme", None, None, START): 1,
        }
