"""What every action rests on: intent, plan, steps, runner, journal, recovery, and the backend that they act through."""
