"""The kernel's IPVS table, over generic netlink where it is allowed, over procfs where it is not.

``reader`` is the way in; ``writer`` changes a weight; ``sysctls`` reads what decides over draining. Beneath them:
``genl`` (the socket), ``uapi`` (numbers of the kernel's header), ``attributes`` (netlink's TLVs), ``layout`` (reads a
message in one step), ``decode`` (messages → model), ``procfs`` (text → model).
"""
