"""What the demo text model knows about hordenode: subjects with their questions, and a little small talk."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """A subject, whether it is singular or plural, further questions about it, and interchangeable answers."""

    name: str
    plural: bool
    asks: tuple[str, ...]
    answers: tuple[str, ...]

    def questions(self) -> tuple[str, ...]:
        """Every question about the subject: its own ones and the usual ones."""
        if not self.name:
            return self.asks
        verb, it = ("are", "do") if self.plural else ("is", "does")
        usual = (
            f"What {verb} {self.name}?",
            f"What {verb} {self.name}?",
            f"What {it} {self.name} mean?",
            f"What {it} the word {_bare(self.name)} mean?" if not self.plural else f"What exactly are {self.name}?",
            f"Explain {self.name}.",
            f"Can you explain {self.name}?",
            f"Tell me about {self.name}.",
            f"Can you tell me what {self.name} {verb}?",
        )
        return usual + self.asks


@dataclass(frozen=True)
class Talk:
    """Small talk; `opens` tells whether it stands at the start of a conversation or at its end."""

    opens: bool
    says: tuple[str, ...]
    answers: tuple[str, ...]


def _bare(name: str) -> str:
    """Drop the article: 'a worker' becomes 'worker'."""
    return name.removeprefix("a ").removeprefix("an ").removeprefix("the ")


TOPICS: tuple[Topic, ...] = (
    Topic(
        "hordenode",
        False,
        ("What can hordenode do?", "What is this program?", "What is this?"),
        (
            "Hordenode is a program that makes pictures and text on your own computer and shares work with a horde.",
            "Hordenode runs a horde on your own computer: it takes requests, and its workers make pictures and text.",
        ),
    ),
    Topic(
        "a horde",
        False,
        ("What does a horde do?", "Who is in the horde?"),
        (
            "A horde is a group of computers that share their work.",
            "A horde is a group of computers. It takes requests and hands them out to its workers.",
        ),
    ),
    Topic(
        "a worker",
        False,
        ("What does a worker do?", "Who does the work?"),
        (
            "A worker is a program that takes jobs from the horde and makes pictures or text.",
            "A worker asks the horde for a job, does it, and sends back the result. It earns kudos for that.",
        ),
    ),
    Topic(
        "kudos",
        False,
        (
            "How do I get kudos?",
            "What is kudos for?",
            "What are kudos?",
            "What are kudos for?",
            "Can I buy kudos?",
            "How do I earn kudos?",
            "Why do I need kudos?",
        ),
        (
            "Kudos is a way to say thank you. You get kudos for helping others, and who has more is served first.",
            "Kudos are points that you get for helping others. They decide who is served first.",
            "Kudos are points, not money. You earn them when your worker helps others.",
        ),
    ),
    Topic(
        "a prompt",
        False,
        ("What should I write in the prompt?", "What makes a good prompt?"),
        (
            "A prompt is a short text that says what you want to see.",
            "A prompt tells the model what to make. Say what is in the picture and where it is.",
        ),
    ),
    Topic(
        "a negative prompt",
        False,
        ("What does the negative prompt do?",),
        ("A negative prompt says what you do not want to see in the picture.",),
    ),
    Topic(
        "a seed",
        False,
        ("What does the seed do?", "How do I get the same picture again?"),
        (
            "The seed chooses the starting noise, so the same seed gives the same picture.",
            "A seed is a number. With the same seed and the same prompt you get the same picture.",
        ),
    ),
    Topic(
        "a model",
        False,
        ("What does a model do?", "Which model should I use?"),
        (
            "A model is a file of numbers that was trained to make pictures or text.",
            "A model is what makes the pictures or the text. A larger model is better but slower.",
        ),
    ),
    Topic(
        "a step",
        False,
        ("What are steps?", "How many steps should I use?", "How many steps do I need?"),
        ("In each step the model removes a part of the noise. Twenty steps are a good choice.",),
    ),
    Topic(
        "a sampler",
        False,
        ("Which sampler should I use?", "What does the sampler do?"),
        ("A sampler decides how the noise is removed from step to step. Most of them give similar pictures.",),
    ),
    Topic(
        "guidance",
        False,
        ("What does the guidance scale do?", "What is the guidance scale?"),
        ("Guidance says how closely the picture follows the prompt. Five is a good value for this demo.",),
    ),
    Topic(
        "noise",
        False,
        ("Where does a picture come from?", "How does the model make a picture?"),
        ("A picture starts as noise, and the model removes the noise step by step until the picture is clear.",),
    ),
    Topic(
        "a node",
        False,
        ("What does a node do?",),
        ("A node is a computer that runs hordenode. It can work alone or together with other nodes.",),
    ),
    Topic(
        "a job",
        False,
        ("What happens to my request?",),
        ("A job is one piece of work, such as a picture. The horde gives each job to one worker.",),
    ),
    Topic(
        "the queue",
        False,
        ("Why do I have to wait?", "How long do I have to wait?", "Why is my request in the queue?"),
        ("Requests wait in a queue until a worker is free. Who has more kudos waits less.",),
    ),
    Topic(
        "an API key",
        False,
        ("Where do I find my API key?", "Why do I need an API key?"),
        ("An API key says who you are. Keep it secret, because it is like a password.",),
    ),
    Topic(
        "tokens",
        True,
        ("What is a token?",),
        ("Tokens are pieces of words. A text model reads and writes one token after another.",),
    ),
    Topic(
        "the context",
        False,
        ("How much can you remember?", "What is the context length?"),
        ("The context is the text that the model can see. What is too far back is forgotten.",),
    ),
    Topic(
        "the temperature",
        False,
        ("What does the temperature do?",),
        ("The temperature says how daring the text is. A low value is safe, and a high value is surprising.",),
    ),
    Topic(
        "",
        False,
        (
            "Is my data private?",
            "Who can see my prompts?",
            "Is it private?",
            "Do you keep my prompts?",
            "What about privacy?",
            "Tell me about privacy.",
        ),
        (
            "Your prompts stay on your own node unless you choose to share them.",
            "Yes, your prompts stay on your own computer unless you send them to another horde.",
        ),
    ),
    Topic(
        "",
        False,
        ("Why is it slow?", "Why are you so slow?", "How can I make it faster?", "Is there a faster way?"),
        (
            "This demo runs on a small computer, so please be patient.",
            "A graphics card makes it much faster. Fewer steps and a smaller picture help too.",
        ),
    ),
    Topic(
        "",
        False,
        (
            "How do I make a picture?",
            "How can I create an image?",
            "How do I create a picture?",
            "Can you make a picture?",
            "Can you draw?",
        ),
        ("Write a prompt, choose a size and press the generate button.",),
    ),
    Topic(
        "",
        False,
        (
            "How do I share my computer?",
            "How can I help others?",
            "How do I join the horde?",
            "How do I start a worker?",
        ),
        ("Start a worker and tell it which horde to ask for jobs. Then your computer helps others and earns kudos.",),
    ),
    Topic(
        "",
        False,
        ("Does it cost money?", "Is it free?", "How much does it cost?", "Do I have to pay?"),
        ("It is free. Nobody pays money, and those who help others are served first.",),
    ),
    Topic(
        "",
        False,
        ("Do I need the internet?", "Does it work offline?", "Can I use it without the internet?"),
        ("No, it works without the internet once you have a model on your computer.",),
    ),
    Topic(
        "",
        False,
        ("Do I need a graphics card?", "Does it run without a graphics card?", "Do I need a GPU?"),
        ("No, it also runs on a processor, but a graphics card is much faster.",),
    ),
    Topic(
        "",
        False,
        ("Can I add another model?", "How do I get a better model?", "How do I add a model?"),
        ("Yes, put the model in the models folder and choose it by its name.",),
    ),
)

SMALL_TALK: tuple[Talk, ...] = (
    Talk(
        True,
        ("Hello!", "Hi!", "Hello.", "Hi there!", "Good morning!", "hello", "hi", "Hey!"),
        ("Hello! How can I help you?", "Hello! Ask me about hordenode, or ask me for a story."),
    ),
    Talk(
        True,
        ("Who are you?", "What are you?", "What is your name?", "Are you a person?"),
        ("I am the demo model of hordenode. I am very small, but I can tell a story.",),
    ),
    Talk(True, ("How are you?", "How are you today?"), ("I am fine, thank you. What can I do for you?",)),
    Talk(
        True,
        ("What can you do?", "Can you help me?", "Help me, please."),
        ("I can explain hordenode and tell short stories. A larger model can do much more.",),
    ),
    Talk(False, ("Thank you!", "Thanks!", "Thank you.", "thanks"), ("You are welcome!", "You are welcome. Have fun!")),
    Talk(False, ("Goodbye!", "Bye!", "See you later!"), ("Goodbye! Come back soon.",)),
)
