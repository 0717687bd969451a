"""What the demo text model knows about hordenode: subjects, the patterns of their questions, and the answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """A subject: its name for messages, patterns of questions about it, and interchangeable answers."""

    name: str
    asks: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Talk:
    """Small talk; `opens` tells whether it stands at the start of a conversation or at its end."""

    opens: bool
    says: tuple[str, ...]
    answers: tuple[str, ...]


def defining(*names: str) -> tuple[str, ...]:
    """Patterns that ask what something is; the first name stands bare, the others with their articles."""
    any_name = "|".join(names)
    return (
        f"(What (is|are|exactly is)|What's|Whats|Explain|Explain to me|Define|Describe|Tell me about) ({any_name})?",
        f"(Can|Could|Would|Will) you (explain|tell me about|describe|define|say something about) ({any_name})?",
        f"(Can you tell me|Tell me|I want to know|I would like to know|Please explain|Do you know) what ({any_name}) "
        "(is|are|means)?",
        f"What (does|do) ({any_name}|the word {names[0]}|the term {names[0]}) (mean|stand for)?",
        f"(What is the meaning of|What is meant by|I do not understand|I never heard of|Help me understand) ({any_name})?",
        f"({names[0]}?|{names[0]} explained|{names[0]} meaning|the meaning of {names[0]}|what about {names[0]}?)",
        f"(Give me a|I need a|Write a) (short|simple|quick|) (definition|explanation|description) of ({any_name}).",
        f"(Explain|Define|Introduce|Sum up) ({any_name}) (briefly|for beginners|in simple words|to a child|to my mother).",
        f"I (read about|saw|came across|found|heard of|wonder about) ({any_name}), (what does it mean|what would that be|"
        "what do they mean)?",
        f"({any_name}): (I do not get it|what does it mean|what would that be|please explain)?",
        f"(Is|Are) ({any_name}) (something|anything) (important|I should know|new|useful)?",
    )


def setting(*names: str) -> tuple[str, ...]:
    """Patterns that ask when and how to set a value."""
    some = "|".join(names)
    return (
        f"(Is it|Would it be) (useful|good|worth it|wise|necessary) to (change|choose|give|adjust) ({some})?",
        f"(Must|Can|May|Do) I (have to|) (change|touch|adjust|give|leave out) ({some})?",
        f"(What if|What happens if|What changes if) I (change|leave out|raise|lower|adjust) ({some})?",
        f"(In which case|For which pictures|For what|At what moment) (would|do|must|does one) (I|) (need|want|adjust) ({some})?",
        f"(Where|How) (would|do|can|must) I (change|enter|adjust|give) ({some})?",
    )


def concerning(*words: str) -> tuple[str, ...]:
    """Patterns that only drop a word or two, as in a search box."""
    some = "|".join(words)
    return (
        f"({some})?",
        f"(Something|A word|A question|Anything|Tell me something|I wonder|What is there to say) about ({some})?",
        f"(What|How|And what|So how) about ({some})?",
        f"({some}), please?",
    )


I_CAN = "(do|can|could|would|should|may|must) (I|we|one|somebody|a user|people)"

TOPICS: tuple[Topic, ...] = (
    Topic(
        "hordenode",
        (
            *defining("hordenode", "this program", "this software", "hordenode"),
            "What (can|does|will) (hordenode|this program|this software|it) do (for me|)?",
            "(What|Which things) (can|could) I (do|make) with (hordenode|this program|this software)?",
            "(What is|What's) (this|this thing|all this|hordenode good for|hordenode for|the point of hordenode)?",
            "(Why|When|What for) (would|should|do) I (use|want|need|install|run) (hordenode|this program)?",
            "(My friend|My sister|Somebody|Everybody here) (uses|talks about|told me about|runs|likes) "
            "hordenode(, what for|. What does it do|. What is it good for|. What sort of program is that)?",
            "(What does hordenode offer|What is hordenode made for|What was hordenode written for|Introduce hordenode)?",
        ),
        ("Hordenode is a program that makes pictures and text on your own computer and shares work with a horde.",),
    ),
    Topic(
        "a horde",
        (
            *defining("horde", "a horde", "the horde", "an AI horde"),
            "What (does|can|will) (a|the) horde do (for me|with my request|)?",
            "(Who|What|Which computers) (is|are|belongs) (in|part of|to) (a|the) horde?",
            "(How|In what way) does (a|the) horde (work|function)?",
        ),
        ("A horde is a group of computers. It takes requests and hands them out to its workers.",),
    ),
    Topic(
        "a worker",
        (
            *defining("worker", "a worker", "the workers", "workers"),
            "What (does|do|can|will) (a worker|the worker|workers|the workers) (do|do all day|actually do)?",
            "(Who|What) (does|is doing|carries out) (the|all the|all that) (work|jobs)?",
            "(What is|What's) (a worker|the worker) (for|there for|good for)?",
            "(How|In what way) (does a worker|do workers) (work|function)?",
        ),
        ("A worker asks the horde for a job, does it, and sends back the result. It earns kudos for that.",),
    ),
    Topic(
        "kudos",
        (
            *defining("kudos", "these kudos", "kudos points"),
            "What (is|are|use is|good are) (the|) kudos (for|good for|used for|there for)?",
            "(Why|What for) (do I need|do we have|are there|would I want|does anyone want) kudos?",
            "What (can|could|do) I (do|buy|get) (with|for) (my|the|) kudos?",
            "(Are|Is) kudos (money|points|worth anything|a currency|real money|important)?",
            "(Can|Could) (I|one|people) (buy|sell|trade|pay for) kudos?",
        ),
        ("Kudos are points, not money. They decide who is served first.",),
    ),
    Topic(
        "earning kudos",
        (
            f"(How|Where|In which way) {I_CAN} (get|earn|gain|make|collect|receive|obtain|win) (more|some|) kudos?",
            "(What|Which things) (gives|give|earns|earn|brings|bring) (me|you|us|) (more|) kudos?",
            "(What do I|What must I|What should I) do (to|in order to) (get|earn|gain|receive|have) (more|some|) kudos?",
            "I (want|need|would like|wish) (to have|to get|to earn|) (more|some|) kudos.",
            "(I have no|My|I am out of|I ran out of) kudos (left|are gone|), what now?",
            "(Who|When does one|When do I|How does one|How does somebody) (gets|get|earns|earn) kudos?",
            "(Tell me|Show me|Explain) how (to|I can|one can) (get|earn|gain|make) kudos.",
        ),
        ("You earn kudos when your worker does jobs for others. Start a worker and let it run.",),
    ),
    Topic(
        "a prompt",
        (
            *defining("prompt", "a prompt", "the prompt", "prompts"),
            f"(What|Which words) {I_CAN} (write|type|put|say|enter) (in|into|as) (the|a|my) prompt?",
            "(What makes|How do I write|How to write|What is|Give me tips for) a (good|better|great|useful) prompt?",
            "How (long|detailed|precise) (should|must|can) (a|my|the) prompt be?",
        ),
        ("A prompt tells the model what to make. Say what is in the picture and where it is.",),
    ),
    Topic(
        "a negative prompt",
        (
            *defining("negative prompt", "a negative prompt", "the negative prompt", "negative prompts"),
            *setting("the negative prompt", "a negative prompt"),
            "What (does|do|can|is) (a|the) negative prompt (do|for|good for)?",
            f"(How|Where) {I_CAN} (leave out|avoid|exclude|get rid of|keep out|remove|forbid) "
            "(something|things|an object|what I do not want|unwanted things) (in|from|of) (the|a|my) (picture|image)?",
            f"(How|Where) {I_CAN} say what I do not want (to see|in the picture|)?",
        ),
        ("A negative prompt says what you do not want to see in the picture.",),
    ),
    Topic(
        "a seed",
        (
            *defining("seed", "a seed", "the seed", "seeds"),
            *setting("the seed", "a seed", "a seed number"),
            "What (does|do|is) (a|the) seed (do|for|good for|number do)?",
            f"How {I_CAN} (get|make|draw|repeat|have|create|see) (the|exactly the|that) same "
            "(picture|image|result) (again|twice|once more|a second time)?",
            "Why (is|do I get|does it draw|do I see) (every picture|a different picture|another picture) "
            "(different|each time|every time)?",
        ),
        ("A seed is a number. With the same seed and the same prompt you get the same picture.",),
    ),
    Topic(
        "a model",
        (
            *defining("model", "a model", "the models", "models"),
            "What (does|do|can|is) (a|the) model (do|for|good for|made of|actually)?",
            f"(Which|What) model {I_CAN} (use|choose|take|pick|run)?",
            "(Which|What) (model|models) (is|are) (the|) (best|better|good|fastest)?",
        ),
        ("A model is what makes the pictures or the text. A larger model is better but slower.",),
    ),
    Topic(
        "adding a model",
        (
            f"(How|Where) {I_CAN} (add|install|get|put|use|load|download|set up|import|include) "
            "(a|another|a new|my own|a better|a bigger|a different|other|more|new) (model|models|checkpoint)?",
            "(Can|Could|May) (I|we|one) (add|install|use|run|load|bring) "
            "(another|other|more|my own|a new|a different|a bigger|a better|new) (model|models|checkpoint)?",
            "(What is|Where is|What's) (models.toml|the models file|the list of models|the file for models)?",
            "(I want|I need|I would like|Show me how|Tell me how) to (add|install|use|load|get) "
            "(a|another|a new|my own|a better) model.",
            "(What must I do|What do I do|What are the steps|What is needed) to (add|install|get) (a|another|a new) model?",
            "(Where do|Where should|In which folder do) (the models|models|model files|new models) (go|belong|live|stay)?",
        ),
        ("Write the name and the folder of the model into models.toml and start hordenode again.",),
    ),
    Topic(
        "steps",
        (
            *defining("steps", "a step", "the steps", "sampling steps"),
            *setting("the steps", "the number of steps"),
            f"How many steps {I_CAN} (use|take|choose|set|pick|need)?",
            "(Are|Is|Do) (more steps|many steps|20 steps|twenty steps|ten steps) (better|enough|good|help|too many)?",
            "What (does|do|is) (a step|the steps|the number of steps|steps) (do|for|mean|change)?",
        ),
        ("In each step the model removes a part of the noise. Twenty steps are a good choice.",),
    ),
    Topic(
        "a sampler",
        (
            *defining("sampler", "a sampler", "the sampler", "samplers"),
            *setting("the sampler", "a sampler"),
            f"(Which|What) sampler {I_CAN} (use|choose|take|pick|set)?",
            "What (does|do|is) (a|the) sampler (do|for|good for|change)?",
            "(Which|What) sampler is (the|) (best|better|good|fastest)?",
        ),
        ("A sampler decides how the noise is removed from step to step. Most of them give similar pictures.",),
    ),
    Topic(
        "guidance",
        (
            *defining("guidance", "guidance", "the guidance scale", "CFG", "the CFG scale", "cfg scale"),
            *setting("the guidance", "the guidance scale", "the CFG scale"),
            "What (does|do|is) (the|) (guidance|guidance scale|CFG scale|cfg) (do|for|good for|change)?",
            f"(What|Which|How much|How high a) (guidance|guidance scale|cfg|CFG scale) {I_CAN} (use|set|choose|take)?",
            f"How {I_CAN} make (the|a|my) (picture|image) (follow|obey|match|fit) (the|my) (prompt|words) "
            "(more closely|better|more|)?",
        ),
        ("Guidance says how closely the picture follows the prompt. Five is a good value for this demo.",),
    ),
    Topic(
        "how pictures are made",
        (
            *defining("diffusion", "the noise", "denoising", "noise"),
            "(Where|From what|Out of what) (does|do|is|are) (a picture|the pictures|pictures|an image) "
            "(come from|come|made|made of)?",
            "How (does|can|do) (the model|a model|it|you|a computer|models) (make|draw|create|paint|produce) "
            "(a picture|pictures|an image|images)?",
            "How (is|are) (a picture|pictures|an image|images) (made|drawn|created|produced|generated)?",
        ),
        ("A picture starts as noise, and the model removes the noise step by step until the picture is clear.",),
    ),
    Topic(
        "a node",
        (
            *defining("node", "a node", "the node", "nodes"),
            "What (does|do|can) (a|the|my) node do?",
            "(What is|What's) (a|the) node (for|good for|there for|made of)?",
            "(Can|Could|Do) (nodes|several nodes|two nodes|many nodes) work (together|with each other|side by side)?",
        ),
        ("A node is a computer that runs hordenode. It can work alone or together with other nodes.",),
    ),
    Topic(
        "a job",
        (
            *defining("job", "a job", "the jobs", "jobs"),
            "(What|Where) (happens|goes|becomes|does) (to|of|with|) my (request|order|prompt) (go|next|then|now|)?",
            "(Who|Which worker) (gets|takes|does|receives|handles) (my|the|a|each) (request|job|order)?",
            "(How|In which way) (is|are) (a job|jobs|the work|requests) (shared|given out|handed out|split|distributed)?",
        ),
        ("A job is one piece of work, such as a picture. The horde gives each job to one worker.",),
    ),
    Topic(
        "the queue",
        (
            *defining("queue", "the queue", "a queue"),
            "(Why|How long) (do|must|should|will|have) (I|we) (have to|need to|) wait (so long|for my picture|in line|)?",
            "(Why|How long) is (my request|my job|my picture|everything) (still|) (in the queue|waiting|not done|queued)?",
            "(When|How soon) (will|does|do) (my picture|my request|my turn|I) (come|be ready|be done|get it|finish)?",
            "(How|What) (can|could|do) I (do|) (wait less|be served sooner|get ahead|skip the queue|to wait less)?",
            "(Who|Which request) (is|goes|gets served) first (in the queue|)?",
        ),
        ("Requests wait in a queue until a worker is free. Who has more kudos waits less.",),
    ),
    Topic(
        "an API key",
        (
            *defining("API key", "an API key", "the API key", "my API key", "the key"),
            f"(Where|How) {I_CAN} (find|get|see|make|create|look up) (my|an|the|a new) (API key|key)?",
            "(Why|What for) (do I need|is there|do you want|must I have|do you ask for) (an|the|my) (API key|key)?",
            "(Should|Must|May|Can) I (share|keep|show|give away|hide|tell anybody) my (API key|key) (secret|to others|)?",
        ),
        ("An API key says who you are. Keep it secret, because it is like a password.",),
    ),
    Topic(
        "tokens",
        (
            *defining("tokens", "a token", "tokens", "the tokens"),
            "(How long|How big|How many letters|How many characters) (is|has|are in) (a|one) token?",
            "(What|Why) (do|does) (the text model|a text model|you|a model) (count|read|write|count in|use) tokens (for|)?",
        ),
        ("Tokens are pieces of words. A text model reads and writes one token after another.",),
    ),
    Topic(
        "the context",
        (
            *defining("context", "the context", "the context length", "the context window"),
            "How (much|far back|long|many words) (can|could|do) you (remember|see|read|keep in mind)?",
            "(Do|Can|Will|Why do) you (remember|forget) (everything|what I said|the start|what I wrote|things)?",
            "How (long|large|big) is (your|the) (context|memory|context window)?",
        ),
        ("The context is the text that the model can see. What is too far back is forgotten.",),
    ),
    Topic(
        "the temperature",
        (
            *defining("temperature", "the temperature", "temperature"),
            *setting("the temperature", "a temperature"),
            "What (does|do|is) (the|a high|a low|) temperature (do|for|good for|change)?",
            f"(Which|What|How high a) temperature {I_CAN} (use|set|choose|take)?",
            f"How {I_CAN} make (the|your) (text|story|answers|stories) (more|less) (daring|surprising|creative|random|safe)?",
        ),
        ("The temperature says how daring the text is. A low value is safe, and a high value is surprising.",),
    ),
)
