from __future__ import annotations

from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from channels.shopify import documents
from channels.simulators.shopify.cost import plan, requested
from channels.simulators.shopify.schema import load_schema, prepare

WIDEST = {"first": 250, "lines": 100, "parts": 50}
PUBLISHED = Path(__file__).parents[3] / "shared/data/channels/shopify/schema"


@pytest.fixture(scope="module")
def shipped() -> GraphQLSchema:
    return load_schema()


@pytest.mark.parametrize("document", documents.ALL, ids=lambda document: _name(document))
def test_a_document_is_valid_against_the_shipped_schema(
    shipped: GraphQLSchema, document: documents.Document
) -> None:
    assert validate(shipped, parse(document.text)) == []


@pytest.mark.slow  # each schema is three megabytes to parse
@pytest.mark.parametrize("version", ["2026-04", "2026-07", "2026-10"])
def test_every_document_is_valid_against_the_published_schemas(version: str) -> None:
    path = PUBLISHED / f"admin_{version}.graphql"
    if not path.is_file():
        pytest.skip(f"the vendor's {path.name} is not beside the repository")

    schema = build_schema(path.read_text(), assume_valid=True)

    assert [
        (_name(document), error.message)
        for document in documents.ALL
        for error in validate(schema, parse(document.text))
    ] == []


@pytest.mark.parametrize("document", documents.ALL, ids=lambda document: _name(document))
def test_a_document_stays_below_the_price_of_a_single_query(document: documents.Document) -> None:
    price = requested(plan(prepare(document.text), None), WIDEST)

    assert price <= 1000
    assert document.cost >= price * 0.6, f"the first estimate {document.cost} is far below {price}"


def test_a_write_of_stock_names_its_idempotency_key() -> None:
    assert "@idempotent(key: $key)" in documents.SET_AVAILABLE.text


def _name(document: documents.Document) -> str:
    return document.text.replace("(", " ").split()[1]
