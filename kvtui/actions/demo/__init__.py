"""Acting on the demo: the same plans and verifications, on the demo's world."""
