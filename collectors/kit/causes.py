"""Why a source was blind: the causes that stand on gaps of coverage."""

from typing import Final

#: The platform made us wait, and what was said meanwhile cannot be had any more.
RATE_LIMITED: Final = "rate_limited"
#: There was no connection, and the platform does not repeat what was said meanwhile.
DISCONNECTED: Final = "disconnected"
#: We walked back as far as the platform goes, or our settings allow, and it was not enough.
LOOK_BACK_EXCEEDED: Final = "look-back exceeded"
#: Reading costs money, and the cap was reached.
BUDGET_SPENT: Final = "budget spent"
#: We did not run, and the platform does not repeat what was said meanwhile.
STOPPED: Final = "stopped"
