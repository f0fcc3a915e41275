"""Two attacks on loopback, a poisoned cache (lesson 03) and a hijacked login (lesson 05)."""

from wslab.apps.attacks.caching_proxy import CachingProxy
from wslab.apps.attacks.hijack import COOKIE, account, evil_page, session_of, shop_page

__all__ = ["COOKIE", "CachingProxy", "account", "evil_page", "session_of", "shop_page"]
