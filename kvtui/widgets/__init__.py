"""Widgets. They only draw what screens pass to them."""
