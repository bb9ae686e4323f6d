"""Notifications v1: where Amazon sends what. Delivery itself is the simulator's."""

from __future__ import annotations

from typing import Any

from channels.simulators.amazon.errors import ApiError, invalid_input, not_found
from channels.simulators.amazon.notices import EVENT_BRIDGE_ONLY, VERSIONS
from channels.simulators.amazon.service import Call, Handler, Service
from channels.simulators.amazon.state import Destination, Subscription


def handlers() -> dict[str, Handler]:
    own = {
        "createDestination": create_destination,
        "getDestinations": get_destinations,
        "getDestination": get_destination,
        "deleteDestination": delete_destination,
        "createSubscription": create_subscription,
        "getSubscription": get_subscription,
        "getSubscriptions": get_subscriptions,
        "getSubscriptionById": get_subscription_by_id,
        "deleteSubscriptionById": delete_subscription,
    }
    return {f"notifications.{name}": handler for name, handler in own.items()}


def create_destination(service: Service, call: Call) -> object:
    """Exactly one of a queue and an event bus; each only once."""
    asked = call.body["resourceSpecification"]
    if ("sqs" in asked) is ("eventBridge" in asked):
        raise invalid_input("Invalid request parameters.", "sqs or eventBridge")
    resource = dict(asked)
    if "eventBridge" in asked:
        bus = f"aws.partner/sellingpartnerapi.amazon.com/{asked['eventBridge']['accountId']}"
        resource = {"eventBridge": {"name": bus, **asked["eventBridge"]}}
    if any(kept.resource == resource for kept in service.account.destinations.values()):
        raise ApiError(409, "Conflict", "The destination exists already.")
    made = Destination(service.account.new_uuid(), call.body["name"], resource)
    service.account.destinations[made.destination_id] = made
    return {"payload": _destination(made)}


def get_destinations(service: Service, call: Call) -> object:
    return {"payload": [_destination(one) for one in service.account.destinations.values()]}


def get_destination(service: Service, call: Call) -> object:
    return {"payload": _destination(_find_destination(service, call.path["destinationId"]))}


def delete_destination(service: Service, call: Call) -> object:
    """Refused while subscriptions still point at it."""
    found = _find_destination(service, call.path["destinationId"])
    subscribed = service.account.subscriptions.values()
    if any(one.destination_id == found.destination_id for one in subscribed):
        raise ApiError(409, "Conflict", "The destination has subscriptions.")
    del service.account.destinations[found.destination_id]
    return {}


def create_subscription(service: Service, call: Call) -> object:
    kind, asked = call.path["notificationType"], call.body
    if VERSIONS.get(kind) != asked["payloadVersion"]:
        raise invalid_input("Invalid request parameters.", f"{kind} {asked['payloadVersion']}")
    destination = _find_destination(service, asked["destinationId"])
    wanted = "eventBridge" if kind in EVENT_BRIDGE_ONLY else "sqs"
    if destination.kind != wanted:
        raise invalid_input("Invalid request parameters.", f"{kind} only goes to {wanted}")
    if _of_type(service, kind):
        raise ApiError(409, "Conflict", f"There is a subscription for {kind} already.")
    account = service.account
    made = Subscription(
        account.new_number(),
        account.new_uuid(),
        kind,
        asked["payloadVersion"],
        destination.destination_id,
        asked.get("processingDirective"),
    )
    account.subscriptions[made.subscription_id] = made
    return {"payload": _subscription(made)}


def get_subscription(service: Service, call: Call) -> object:
    found = _of_type(service, call.path["notificationType"])
    if not found:
        raise not_found("There is no such subscription.")
    return {"payload": _subscription(found[0])}


def get_subscriptions(service: Service, call: Call) -> object:
    found = _of_type(service, call.query["notificationTypes"][0])
    return {"payload": {"subscriptions": [_subscription(one) for one in found]}}


def get_subscription_by_id(service: Service, call: Call) -> object:
    return {"payload": _subscription(_find_subscription(service, call))}


def delete_subscription(service: Service, call: Call) -> object:
    found = _find_subscription(service, call)
    del service.account.subscriptions[found.subscription_id]
    return {}


def _of_type(service: Service, kind: str) -> list[Subscription]:
    kept = service.account.subscriptions.values()
    return [one for one in kept if one.notification_type == kind]


def _find_destination(service: Service, destination_id: str) -> Destination:
    found = service.account.destinations.get(destination_id)
    if found is None:
        raise not_found("There is no such destination.")
    return found


def _find_subscription(service: Service, call: Call) -> Subscription:
    found = service.account.subscriptions.get(call.path["subscriptionId"])
    if found is None or found.notification_type != call.path["notificationType"]:
        raise not_found("There is no such subscription.")
    return found


def _destination(one: Destination) -> dict[str, Any]:
    return {
        "destinationId": one.destination_id,
        "name": one.name,
        "resource": one.resource,
    }


def _subscription(one: Subscription) -> dict[str, Any]:
    body: dict[str, Any] = {
        "subscriptionId": one.subscription_id,
        "payloadVersion": one.payload_version,
        "destinationId": one.destination_id,
    }
    return body | ({"processingDirective": one.directive} if one.directive else {})
