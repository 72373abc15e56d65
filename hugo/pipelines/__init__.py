"""Operations run together, one after the other or again."""

from hugo.pipelines.fallback import FallbackTier, tiered_fallback
from hugo.pipelines.parallel import race, when_all
from hugo.pipelines.retrying import retry

__all__ = ["FallbackTier", "race", "retry", "tiered_fallback", "when_all"]
