"""Which cut-out photographs of Tux Paint's stamps show which concept. Knows no picture format.

Each entry is `path|concept`; the path lies below the package's folder of stamps, without its ending.
"""

from __future__ import annotations

# ruff: noqa: E501

_NAMED = """
food/fruit/pineapple|pineapple food/fruit/apple_green|green apple food/fruit/apple_granny_smith|green apple food/fruit/apple_red|apple
food/fruit/orange_seville|orange food/fruit/orange|orange food/fruit/Cherry_Stella|cherry food/fruit/pear|pear food/fruit/grapes|grapes
food/fruit/Strawberry2|strawberry food/fruit/avocado|avocado food/fruit/lemon|lemon food/fruit/mango|mango food/fruit/kiwi|kiwi
food/fruit/banana|banana food/vegetables/tomato|tomato food/vegetables/onion|onion food/vegetables/lettuce|leafy greens
food/vegetables/chilepepper|chili food/vegetables/potato|potato food/vegetables/garlic|garlic food/vegetables/mushroom|mushroom
food/vegetables/yam|sweet potato food/vegetables/pepper|bell pepper food/vegetables/broccoli|broccoli food/vegetables/carrot|carrot
food/vegetables/eggplant|eggplant food/vegetables/pumpkin_small|pumpkin food/vegetables/corn|corn food/pizza|pizza food/spices/ginger|ginger
household/dishes/teapot|teapot household/dishes/mug|cup household/garbagecan|trash can household/toilet|toilet household/key|key
household/arttools/scissors_small_open|scissors household/Lightbulb|light bulb household/tools/wrench|wrench household/tools/saw|saw
household/tools/paintbrush_large|paintbrush household/tools/toolbox|toolbox household/tools/hammer|hammer household/kettle|kettle
clothes/t_baseballcap|baseball cap clothes/t_scarf|scarf clothes/t_jacket|coat clothes/t_sock|socks clothes/t_glove|gloves
clothes/t_tshirt|T-shirt clothes/t_pants|jeans clothes/t_shirt|shirt clothes/hats/tophat|top hat town/roadsigns/stop|stop sign
town/roadsigns/stoplight_01_red|traffic light plants/flowers/rose|rose plants/trees/tree336|tree hobbies/music/brass/trumpet|trumpet
hobbies/music/string/guitar_electric|guitar hobbies/music/string/guitar_classical|guitar hobbies/music/string/violin|violin
hobbies/music/percussion/drum_tomtom_floor|drum hobbies/camera_35mm|camera space/moon/moon_crescent|moon space/planets/0_sun|sun
space/planets/6_saturn|saturn space/planets/3_earth|earth medical/stethoscope|stethoscope medical/bandage_adhesive|bandage
medical/syringe|syringe medical/tooth|tooth seasonal/candle|candle seasonal/easter/chick|chick seasonal/christmas/tree|christmas tree
seasonal/halloween/spider|spider seasonal/halloween/skull|skull animals/marsupials/koala|koala animals/marsupials/kangaroo|kangaroo
animals/insects/fly|fly animals/insects/bee|bee seasonal/easter/butterfly|butterfly animals/lizards/iguana|lizard
animals/amphibians/frog|frog animals/mammals/rodents/squirrel|squirrel animals/mammals/rodents/rabbit|rabbit animals/mammals/camel/camel|camel
animals/mammals/rodents/mouse|mouse animals/mammals/bears/bear|bear animals/mammals/bears/toys/edward_bear|teddy bear
animals/mammals/wildboar|boar animals/mammals/aquatic/whale|whale animals/mammals/aquatic/dolphin|dolphin animals/mammals/equines/horse|horse
animals/mammals/equines/zebra|zebra animals/mammals/rhino_black|rhinoceros animals/mammals/pig|pig animals/mammals/hedgehog|hedgehog
animals/mammals/giraffe|giraffe animals/mammals/apes/gorilla|gorilla animals/mammals/cats/tiger|tiger animals/mammals/cats/lion|lion
animals/mammals/bovines/sheep|sheep animals/mammals/bovines/goat|goat animals/mammals/bovines/cow|cow animals/mammals/dogs/fox|fox
animals/mammals/dogs/dog|dog animals/mammals/deer/deer|deer animals/mammals/hippopotamus|hippo animals/mammals/elephant|elephant
animals/birds/penguin|penguin animals/birds/pigeon|dove animals/birds/pink_flamingo|flamingo animals/birds/hen|chicken
animals/birds/peacock|peacock animals/birds/rooster|rooster animals/birds/owl|owl animals/birds/lark|bird animals/birds/duck|duck
animals/birds/turkey|turkey animals/fish/lobster|lobster animals/fish/clownfish|tropical fish animals/fish/shrimp|shrimp
animals/fish/coraltrout|fish sports/basketball|basketball sports/football|american football sports/trophy_cup|trophy sports/soccer|soccer ball
naturalforces/fire|fire naturalforces/lightningbolt|lightning vehicles/emergency/sedan_police|police car vehicles/emergency/firetruck|fire engine
vehicles/race/indycar|racing car vehicles/flight/planes/747|airplane vehicles/auto/sedan|car vehicles/auto/beetle|car vehicles/auto/truck|truck
vehicles/wheel_tractor|tractor vehicles/masstransit/green_korean_bus|bus
"""

_VALID = """
food/fruit/apple_fuji|apple food/fruit/strawberry|strawberry food/vegetables/garlics|garlic food/vegetables/yellowpepper|bell pepper
household/arttools/scissors_small_closed|scissors household/tools/wrench_adjustable|wrench clothes/t_poloshirt|T-shirt
town/roadsigns/stoplight_03_green|traffic light hobbies/music/string/guitar2|guitar animals/amphibians/frog-1|frog
animals/mammals/rodents/rabbit-2|rabbit animals/mammals/bears/european-bear|bear animals/mammals/cats/tiger_sumatran|tiger
animals/mammals/cats/lion-2|lion animals/mammals/bovines/sheep_lamb|sheep animals/mammals/bovines/cow_white|cow
animals/birds/magellanic_penguin|penguin animals/birds/magpie|bird animals/birds/chicken_profile|chicken animals/fish/stripedfish|fish
vehicles/auto/sportscar2|car animals/mammals/pig_golden2|pig seasonal/christmas/Christmas_Tree_photo|christmas tree
animals/mammals/camel/dromedary|camel
"""

_UNNAMED = {
    "train": """
household/tools/cementmixer household/tools/plyers household/wheelie_bin clothes/clothespin_new town/usps_mailbox town/uk_post_box
town/roadsigns/traffic_cone plants/lavender hobbies/binoculars animals/insects/grasshopper animals/insects/mantis
animals/mammals/rodents/capybara animals/mammals/rodents/beaver animals/mammals/badger animals/birds/ostrich animals/birds/pelican
animals/birds/vulture animals/fish/seahorse food/fruit/pomegranate food/nuts/walnut food/nuts/almond military/vehicles/f22_raptor
space/spacewalk space/apollo_lander vehicles/garbagetruck sports/tennis_racket household/dishes/glass animals/shellfish/abalone
""",
    "valid": """
animals/mammals/aquatic/otter animals/mammals/ferret animals/birds/tucan animals/fish/lionfish animals/marsupials/wombat
food/fruit/cherimoya household/tools/spade hobbies/music/wind/bassoon vehicles/construction/dumper animals/insects/Woodlouse
""",
}


def _entries(text: str) -> list[tuple[str, str]]:
    """(path, concept) of each entry; a concept may be two words."""
    found: list[tuple[str, str]] = []
    for word in text.split():
        if "/" in word:
            path, _, name = word.partition("|")
            found.append((path, name))
        else:
            path, name = found[-1]
            found[-1] = (path, f"{name} {word}")
    return found


STAMPS: tuple[tuple[str, str, str], ...] = (
    *((path, name, "train") for path, name in _entries(_NAMED)),
    *((path, name, "valid") for path, name in _entries(_VALID)),
    *((path, "", split) for split, text in _UNNAMED.items() for path in text.split()),
)
"""(path, English name of the concept or nothing, split) of each photograph."""
