"""Writes tests/data and hashlists/demo: `python make.py`. `python make.py --csv` recomputes the tables only."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True

import broken, demo, hidden, jpeg, models, modes, orient, profiles, reduced, scores, shapes, vectors

DATA = Path(__file__).resolve().parents[1]
DEMO = DATA.parents[1] / "hashlists/demo"

for name in ("vectors", "modes", "orient", "broken", "hidden", "jpeg", "profiles", "reduced", "shapes", "media"):
    (DATA / name).mkdir(exist_ok=True)
(DEMO / "pictures").mkdir(parents=True, exist_ok=True)

if "--csv" not in sys.argv:
    demo.write(DEMO, DATA / "media")
    models.write(DATA / "models/mean-colour-1")
    for room in (vectors, modes, orient, broken, hidden, jpeg, profiles, reduced, shapes):
        room.write(DATA / room.__name__)
demo.table(DEMO)
for room in (vectors, modes, orient, jpeg, profiles, reduced, shapes):
    room.table(DATA / room.__name__)
scores.table(DATA)
