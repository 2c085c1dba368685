"""The catalogue of products read from its file."""

from __future__ import annotations

from pathlib import Path

from cropbase.config import validate
from cropbase.errors import ConfigError
from cropbase.yaml_files import read_yaml
from croplayer.settings.comparison import ProductFiles
from croplayer.settings.products import Catalogue, Product


def read_catalogue(path: str | Path) -> Catalogue:
    """Read and check `config/products.yaml`.

    Raises ConfigError with every fault of the file in one message.
    """
    path = Path(path)
    return validate(
        Catalogue, read_yaml(path), files=[path], schema=str(path.with_name("products-schema.json"))
    )


def chosen_products(catalogue: Catalogue, chosen: dict[str, ProductFiles]) -> dict[str, Product]:
    """The entries that a province names under `comparison.products`, in its order.

    Raises ConfigError for a name that the catalogue does not have, or a download of a product
    without an open address.
    """
    for name, files in chosen.items():
        if name not in catalogue.products:
            raise ConfigError(
                f"comparison.products: the catalogue has no product {name!r}",
                allowed=", ".join(catalogue.products),
                remedy="add it to the catalogue of products, or correct the name",
            )
        product = catalogue.products[name]
        if files.download and product.download is None:
            raise ConfigError(
                f"comparison.products.{name}.download: {product.title} has no open direct address",
                given="download: true",
                remedy=f"fetch it yourself ({product.access}: {product.record}) and give `files`",
            )
    return {name: catalogue.products[name] for name in chosen}
