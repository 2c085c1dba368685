"""Named failures of the imagery stages."""

from __future__ import annotations

from cropbase.errors import CropError, DependencyError, InputError


class TilesFailedError(InputError):
    """Some tiles could not be fetched; the good ones are kept and the next run goes on."""


class QuotaReachedError(CropError):
    """The provider's daily quota is used up; the next run, tomorrow, goes on."""


class ProviderRefusedError(DependencyError):
    """The provider refuses the API key, or refuses to serve at all."""


class ProviderDownError(DependencyError):
    """The provider has given no good answer for long."""


class TermsNotAcceptedError(CropError):
    """The terms of use of a provider have not been acknowledged in the configuration."""


class TileStoreError(InputError):
    """A tile file cannot be read or written (damaged, in use)."""


class RejectedImageError(Exception):
    """Bytes that are not a whole tile image; the message says why. Caught by the downloader."""
