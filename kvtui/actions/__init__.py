"""What kvtui does to a node: each action is planned, shown, verified, written down and undoable."""
