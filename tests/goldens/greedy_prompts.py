"""Prompts of make_greedy.py: a dozen or so for each real model."""

from __future__ import annotations

LIGHTHOUSE = (
    "The lighthouse at Garn Point had been built three times. The first was a wooden tower, raised by the "
    "fishermen themselves in a single summer, and it stood for eleven years before a winter gale took it "
    "and the two men inside. The second was brick, and taller, and it was ugly in a way that the whole "
    "village agreed upon without ever saying so. It cracked along its northern side within a decade. The "
    "third was granite, carried in barges from a quarry forty miles up the coast, and it was still there "
    "when Marta came to keep it.\n\n"
    "She had answered an advertisement. The harbour board wanted someone who could mend a diesel engine, "
    "read a barometer, and be alone. They asked her only one question at the interview, which was whether "
    "she minded the noise of birds, and when she said that she did not, the oldest of them closed his "
    "folder and told her that the boat left on Thursdays. She packed one trunk. In it were two pairs of "
    "boots, a box of paperback novels that she had read before and meant to read again, a kettle, a "
    "violin with a repaired neck, and a notebook with a green cover in which she had never yet written a "
    "word.\n\n"
    "The first weeks were work. The lamp had to be wound, the lenses wiped, the fuel measured and the log "
    "kept. Four times a day she climbed one hundred and forty-two steps with a cloth over her shoulder, "
    "and four times a day she came down again. She learned which step was loose and which window let in "
    "the rain. She learned that the wind from the west sang in the railings and that the wind from the "
    "north did not sing at all, but leaned. When ships passed she wrote their names in the log, and when "
    "none passed she wrote that too.\n\n"
    "In October a trawler called the Isabel lost her rudder two miles out. Marta saw the flare at a "
    "quarter past four in the morning. She rang the lifeboat station on the telephone, which worked that "
    "day, and then she did the only other thing there was to do, which was to keep the light turning. She "
    "stood beside it until her hands were too cold to feel the crank. At seven the lifeboat came round "
    "the point with the Isabel behind it on a long rope, and all five of the crew were standing on the "
    "deck, looking up. One of them raised his arm. She raised hers, although she knew that he could not "
    "see it against the glare.\n\n"
    "After that the village began to send her things. There were jars of plum jam, a knitted hat, half a "
    "cheese, and once a live hen, which she named Barometer, because it went quiet before a storm. A boy "
    "of nine wrote to ask how many bulbs the lighthouse used and whether she had ever seen a whale. She "
    "answered that it used only one, and that she had seen eleven, and she enclosed a drawing of the "
    "largest. He wrote back within the week. By the spring she had forty of his letters in the trunk, and "
    "the green notebook was full.\n\n"
    "On the morning that the harbour board came to inspect the lamp, she"
)

SUMS = "".join(
    f"{a} plus {b} equals {a + b}.\n" for a, b in ((7 * i % 50 + 3, 11 * i % 40 + 2) for i in range(70))
)


def _chatml(*turns: tuple[str, str]) -> str:
    opened = "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in turns)
    return f"{opened}<|im_start|>assistant\n"


SYSTEM = ("system", "You are a helpful AI assistant named SmolLM, trained by Hugging Face")

SHARED = {
    "english": "The capital of France is",
    "story": "Once upon a time, in a small village at the edge of a dark forest, there lived",
    "facts": "Water boils at 100 degrees Celsius at sea level. At higher altitudes, it boils at",
    "python": 'def fibonacci(n):\n    """Return the n-th Fibonacci number."""\n    if n',
    "json": '{"name": "Alice", "age": 30, "city": "Paris"}\n{"name": "Bob", "age": 25, "city": "',
    "c": "#include <stdio.h>\n\nint main(void) {\n    for (int i = 0; i < 10; i++) {\n",
    "french": "Il était une fois un petit garçon qui",
    "russian": "Москва — столица",
    "chinese": "中国的首都是",
    "japanese": "日本で一番高い山は",
    "arabic": "عاصمة مصر هي",
    "emoji": "I love ice hockey 🏒🥅! My favourite team",
    "list": "Days of the week:\n1. Monday\n2. Tuesday\n3.",
    "spaces": "  The   quick\tbrown\n\n\nfox  ",
    "sums": SUMS + "12 plus 30 equals",
    "prose": LIGHTHOUSE,
}

CHAT = {
    "chat-haiku": _chatml(SYSTEM, ("user", "Write a haiku about ice hockey")),
    "chat-question": _chatml(SYSTEM, ("user", "What is the boiling point of water?")),
    "chat-turns": _chatml(
        ("system", "You answer in one short sentence."),
        ("user", "Who wrote Hamlet?"),
        ("assistant", "William Shakespeare wrote Hamlet."),
        ("user", "When was he born?"),
    ),
}

PROMPTS: dict[str, dict[str, str]] = {"smollm2": {**SHARED, **CHAT}, "gemma3-270m": SHARED}
