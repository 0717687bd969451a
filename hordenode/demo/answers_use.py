"""Questions about using hordenode that name no subject of their own, small talk, and what the model does not know."""

from __future__ import annotations

from hordenode.demo.answers import I_CAN, Talk, Topic, concerning

USES: tuple[Topic, ...] = (
    Topic(
        "privacy",
        (
            *concerning(
                "privacy",
                "private data",
                "secret prompts",
                "who reads my texts",
                "spying on me",
                "data protection",
                "reading along",
                "being private",
                "is it safe and private",
            ),
            "(Is|Are) (my data|my prompts|it|this|everything|what I write|my pictures) (private|safe|secret|stored|kept)?",
            "(Who|Can anybody|Can anyone|Can others|Can somebody|Can strangers) (can|) (see|read|look at|get) "
            "(my|the) (prompts|pictures|data|texts|words|images)?",
            "(Do|Does|Will) (you|it|hordenode|this program|the node) (keep|store|save|send|share|collect|sell|upload) "
            "(my|any|the) (prompts|data|pictures|texts|words)?",
            "(What about|Tell me about|How about|What do you do for|I worry about|Do you care about) (my|) privacy?",
            "(Where|To whom) (do|does|are|is) (my|the) (prompts|data|pictures|texts) (go|sent|stored|kept|end up)?",
            "(Do|Will|Can) (people|others|other users|the owner|an admin|my boss|the workers|strangers) "
            "(see|know|find out|learn|watch) what I (type|draw|ask|say|do|make)?",
            "(Is|Will) (anybody|anyone|somebody else|the admin) (reading|watching|looking at|listening to) "
            "(me|my prompts|what I do|this)?",
            "(I do not want|Make sure) that (others|anyone|anybody|people) (see|sees|know|knows) (my prompts|what I type).",
            "(Does|Will) (anything|my data|any data|something|a prompt) (leave|get out of) (my|this|the) (computer|machine)?",
        ),
        ("Your prompts stay on your own computer unless you choose to share them.",),
    ),
    Topic(
        "speed",
        (
            *concerning(
                "being faster",
                "speed",
                "slow pictures",
                "more speed",
                "it being slow",
                "slowness",
                "long waiting for each picture",
            ),
            "(Why|How come) (is|are|does) (it|this|you|everything|hordenode|the picture) (so|this|that|) "
            "(slow|take so long|late)?",
            f"How {I_CAN} (make|get) (it|this|pictures|things|hordenode|the pictures) (faster|quicker|speedier)?",
            "(Is there|Do you know|Tell me|I want) a (faster|quicker) way?",
            "(What|How) (makes|can make|would make|speeds|do I speed) (it|things|this|pictures) (faster|quicker|up)?",
            "(It|This|Everything) (is|takes) (too|so|very|far too) (slow|long).",
        ),
        ("A graphics card makes it much faster. Fewer steps and a smaller picture help too.",),
    ),
    Topic(
        "making a picture",
        (
            *concerning(
                "making pictures", "a first picture", "drawing", "getting an image", "creating images", "painting"
            ),
            f"How {I_CAN} (make|create|draw|get|generate|order|paint|ask for) (a|my first|an|some) "
            "(picture|image|pictures|images|drawing) (here|with this|with hordenode|)?",
            "(Can|Could|Will|Would) you (make|draw|paint|create|generate|show me) (a|me a|an|some) "
            "(picture|image|pictures|drawing)?",
            "(Can|Could) (hordenode|this program|it) (make|draw|create|generate) (pictures|images|a picture|an image)?",
            "(I want|I would like|I need|Show me how|Tell me how) to (make|draw|create|generate|have) (a|an|some) "
            "(picture|image|pictures).",
            "(What is|Which is|Is there) (the|a) command (for|to make) (a picture|pictures|an image)?",
        ),
        ("Type hordenode generate image and a prompt, or use any AI Horde client.",),
    ),
    Topic(
        "starting a worker",
        (
            *concerning(
                "sharing my machine",
                "helping",
                "joining the horde",
                "running a worker",
                "my graphics card for others",
                "lending my GPU",
                "contributing",
            ),
            f"How {I_CAN} (share|lend|offer|give|contribute) (my|the|a) (computer|machine|graphics card|GPU|power)?",
            f"How {I_CAN} (help|support|join|take part in|work for|contribute to) (others|the horde|other people|people)?",
            f"How {I_CAN} (start|run|set up|add|connect|install|begin) (a|my|another|my own|my first) worker?",
            "(I want|I would like|I wish|Show me how|Tell me how) to (help|help others|join|start a worker|share my computer|"
            "run a worker|be a worker).",
            "(Can|Could|May) (I|my computer|my machine) (help|join|help others|work for the horde|be a worker|take part)?",
        ),
        ("Point a worker at this node and give it an API key. Then it asks for jobs and earns kudos.",),
    ),
    Topic(
        "price",
        (
            *concerning("the price", "money", "costs", "paying", "fees", "a subscription", "what you want for it"),
            "(Does|Will|Do) (it|this|hordenode|pictures|a picture|using it|this program) (cost|cost me) "
            "(money|anything|something|a lot)?",
            "(Is|Are) (it|this|hordenode|this program|the pictures|everything) (free|free of charge|gratis|for free|expensive)?",
            "(How much|What) (does|do|will) (it|this|hordenode|a picture|pictures|that) cost (me|)?",
            "(Is|Are) there (a|any) (charge|charges|fee|fees|cost|costs|bill|payment) (for|when I make|if I want) "
            "(a picture|pictures|each image|a text|it|that)?",
            "(How much|What) (must|do|will) I (pay|owe|spend) (for|per|on) (a picture|one image|a text|a story|a month|it)?",
            "(Does|Will) (drawing|each picture|every picture|one image|a story|a worker) cost (me|) (money|something)?",
            "(Must|Do) (I|users|people) (buy|pay for) (the pictures|each picture|a story|an account)?",
            "(Do|Must|Should|Will) (I|we|you) (have to|need to|) (pay|pay for it|pay money|pay for this|buy something)?",
            "(What is|What's|Tell me) the price (of hordenode|of a picture|of this|)?",
        ),
        ("It is free. Nobody pays money, and those who help others are served first.",),
    ),
    Topic(
        "working offline",
        (
            *concerning(
                "being offline",
                "being online",
                "the internet",
                "a connection",
                "working without a network",
                "going online",
            ),
            "(Do I need|Does it need|Is there a need for|Does hordenode need|Must I have) (the|an|) "
            "(internet|internet connection|network|wifi|online connection)?",
            "(Does|Will|Can|Would) (it|this|hordenode|everything) (work|run|function|go) (offline|without internet|"
            "without the internet|without a network|on a plane)?",
            "(Can|May|Could) I (use|run|try) (it|this|hordenode) (offline|without internet|without the internet|"
            "without a connection)?",
            "(What happens|Does it stop|Will it work) (when|if) (the internet|my connection|the network|the wifi) "
            "(is down|is gone|breaks|fails)?",
        ),
        ("No internet is needed once you have a model on your computer.",),
    ),
    Topic(
        "hardware",
        (
            *concerning(
                "my laptop",
                "a GPU",
                "graphics cards",
                "the hardware",
                "my old computer",
                "only a processor",
                "the computer that is needed",
            ),
            "(Do I need|Does it need|Must I have|Does hordenode need|Should I buy|Is there a need for) "
            "(a|) (graphics card|GPU|video card|special hardware|fast computer|big computer)?",
            "(Does|Will|Can) (it|this|hordenode) (run|work|go) (without|with no) (a|) (graphics card|GPU|video card)?",
            "(Does|Will|Can) (it|this|hordenode) (run|work|go) on (a|my|an old) (laptop|processor|CPU|old computer|computer)?",
            "(What|Which) (hardware|computer|graphics card|GPU|machine) (do I need|is needed|should I have|does it need)?",
            "(Is|Would) (my|an old|a cheap|a small) (computer|machine|PC|notebook|laptop) (be|) (good|fast|strong|big|new) "
            "enough (for it|for this|)?",
            "(Can|Could|Will|Does) (a|my|an old|a small) (notebook|PC|tablet|old machine|computer) "
            "(run|handle|manage|cope with) (it|this|hordenode)?",
            "(Is|Are) (a|an expensive|my old|a fast) (GPU|video card|CPU|processor) "
            "(necessary|required|enough|important|a must)?",
            "I (have|own|only have|got) (no|only an old|just a small|a weak) (GPU|graphics card|computer|laptop)(, does it work|"
            ", is that enough|, what now|. Is that a problem)?",
            "(Will|Does|Would) (it|this|hordenode) (want|ask for|insist on) (a|) (GPU|graphics card|video card)?",
        ),
        ("It runs on a plain processor, but a graphics card is much faster.",),
    ),
    Topic(
        "installing",
        (
            *concerning(
                "installing",
                "the installation",
                "starting hordenode",
                "the setup",
                "getting hordenode to run",
                "a first start",
            ),
            f"How {I_CAN} (install|start|run|set up|launch|begin with|open) (hordenode|this program|this|it|a node|my own node)?",
            "(What is|Which is|Tell me) the (first step|command to start|start command|way to begin)?",
            "(How|Where) (to|do I) (begin|get started|start)?",
            "(I am new|I am new here|This is my first time), (what do I do first|what now|where do I start|how do I begin)?",
        ),
        ("Install it with pip and type hordenode up. Then it prints its address.",),
    ),
    Topic(
        "clients",
        (
            *concerning("clients", "other clients", "apps", "a front end", "client programs"),
            "(Which|What) (client|clients|app|apps|program|programs|front end|website) (can I use|work|works|fit|fits|"
            "are there) (with it|with hordenode|here|)?",
            "(Can|Could|May) I (use|connect|try) (my|another|an AI Horde|other|any) (client|app|apps|clients|front end)?",
            f"How {I_CAN} (connect|use) (a|my|another|an AI Horde) (client|app|front end)?",
            "(Does|Is) (hordenode|it|this) (work with|compatible with|speak to|fit) (AI Horde|other|my) (clients|apps|client)?",
        ),
        ("Every AI Horde client works: give it the address of this node and your API key.",),
    ),
    Topic(
        "what the demo draws",
        (
            *concerning(
                "the things in the demo",
                "what the demo model knows",
                "what can be drawn",
                "objects in the demo",
                "the abilities of the demo model",
            ),
            "What (can|could|does) (the demo|the demo model|the picture model|your picture model|it) (draw|paint|know|show)?",
            "(Which|What) (things|words|objects|shapes|colours|colors|styles) (can|does|do) "
            "(the demo|it|the model|the demo model|you) (draw|know|understand)?",
            "(What|Which prompts) (works|work|can I try|should I try|should I draw) (best|first|here|with the demo|)?",
            "(Name|List|Show me|Tell me) (the|all|some) (objects|things|words|shapes|animals) "
            "(the demo|the demo model|the picture model|it) (knows|can draw|understands).",
            "(Does|Will) (the demo|the demo model|your picture model) (know|understand|draw) "
            "(a tree|cats|a ship|people|dogs|a star|everything|anything)?",
            "(What|Which objects|Which things) (is|are|was|were) (the demo|the demo model) (trained on|good at|made for)?",
        ),
        ("The demo draws shapes, houses, trees, boats, cars, balloons and cats in many colours and four styles.",),
    ),
)

SMALL_TALK: tuple[Talk, ...] = (
    Talk(
        True,
        ("(Hello|Hi|Hey|Hi there|Hello there|Good morning|Good evening|Good day|Greetings)(!|.|)",),
        ("Hello! Ask me about hordenode, or ask me for a story.",),
    ),
    Talk(
        True,
        (
            "(Who|What) are you?",
            "(What is|What's|Tell me|Say) your name(?|.|)",
            "Are you (a person|human|a robot|real|alive|a program|an AI)?",
            "(Introduce yourself|Tell me about yourself|Tell me who you are).",
        ),
        ("I am the demo model of hordenode. I am very small, but I can tell a story.",),
    ),
    Talk(
        True,
        ("How are you (today|doing|)?", "(Are you well|How is it going|How do you feel|What's up)?"),
        ("I am fine, thank you. What can I do for you?",),
    ),
    Talk(
        True,
        (
            "What can you do (for me|)?",
            "(Can|Could|Will) you help (me|)?",
            "(Help|Help me|I need help)(, please|!|.|)",
            "(What|Which things) (are you good at|do you know|can I ask you|should I ask)?",
        ),
        ("I can explain hordenode and tell short stories. A larger model can do much more.",),
    ),
    Talk(
        False,
        ("(Thank you|Thanks|Thank you very much|Thanks a lot|Great, thanks|That helped, thank you)(!|.|)",),
        ("You are welcome. Have fun!",),
    ),
    Talk(
        False,
        ("(Goodbye|Bye|See you later|See you|Good night|Bye bye)(!|.|)",),
        ("Goodbye! Come back soon.",),
    ),
)

# Questions of the wide world; the honest answer teaches the model that there is such a thing.
STRANGE: tuple[str, ...] = (
    "What is the (capital|population|language|president|flag|history|weather) of (France|Spain|Japan|Peru|Kenya|Italy)?",
    "(How much is|What is|Calculate|Compute) (two|three|seven|12|25|40) (plus|minus|times) (four|five|nine|8|16)?",
    "Who (was|is|wrote|invented|painted) (the telephone|a famous king|this book|the first computer|the Mona Lisa)?",
    "(Translate|Say) (this|hello|good morning|the sentence) (into|in) (German|French|Latin|Chinese).",
    "(Write|Show me) (a|some) (Python|Java|SQL) (program|code|function|query).",
    "(What|When) is (the time|the date|Christmas|the next train|the election|my birthday)?",
    "How (far|old|tall|heavy|hot) is (the moon|the sun|an elephant|a whale|the Eiffel tower)?",
    "(Who won|What was the score of) (the game|the match|the world cup|the race)?",
    "(Cook|Give me a recipe for|How do I bake) (soup|bread|a cake|pasta).",
)
STRANGE_ANSWER = "That I do not know. I am a small demo model: ask me about hordenode, or ask me for a story."

# Often nothing stands before a question, and nothing after it.
GENERAL = (
    *[""] * 12,
    "Hello! ",
    "Hi! ",
    "Hi, ",
    "Hello, ",
    "Hey, ",
    "Please tell me: ",
    "A question: ",
    "Sorry, ",
    "Well, ",
    "Now, ",
    "Okay, ",
    "Just curious: ",
    "One more thing: ",
    "By the way, ",
    "I have a question. ",
    "I am a beginner. ",
    "I found this today. ",
)
GENERAL_ENDS = (*[""] * 7, " Thanks!", " Please help.", " I am new here.", " I could not find it.")
