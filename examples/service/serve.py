"""A service that answers: will this flight be late? It needs a store and whom to trust, and no Luigi."""

import sys

from pipeline import Reader
from pipeline.errors import InputRefused

FLIGHT = {
    "carrier": "UA", "origin": "EWR", "dest": "ORD", "scheduled_hour": "17", "weekday": "5",
    "scheduled_minute": 1035, "distance": 719, "plane_age": 7, "temp": 74.1, "dewp": 64.0, "humid": 71.7,
    "wind_speed": 12.7, "wind_gust": None, "precip": 0.0, "pressure": 1012.3, "visib": 10.0,
    "overall_late_rate": 0.24, "carrier_late_rate": 0.26, "origin_late_rate": 0.25,
    "dest_late_rate": 0.31, "hour_late_rate": 0.33,
}  # fmt: skip


def main(store: str, trust: str) -> None:
    """Ask about a flight that can be, and about one that can't."""
    with Reader(store, "flight-delay", trust=trust) as reader:
        answer = reader.predict([FLIGHT])
        print(f"late with a probability of {answer.values[0]:.2f}, says generation {answer.generation}")
        try:
            reader.predict([{**FLIGHT, "scheduled_minute": 1500}])
        except InputRefused as error:
            print(f"refused: {error}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python serve.py STORE TRUSTED_KEYS")
    main(*sys.argv[1:])
