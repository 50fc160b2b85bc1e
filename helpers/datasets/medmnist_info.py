"""Facts about the 2D MedMNIST+ sets that have one label per image (medmnist 3.0.2, ``INFO``)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MedMNISTInfo:
    """One set as published.

    Attributes
    ----------
    domain : what kind of images, for the card.
    origin : the collection that the images were taken from.
    task : ``"binary-class"``, ``"multi-class"`` or ``"ordinal-regression"``.
    classes : names, index = label.
    channels : 1 or 3.
    counts : images in train, validation and test.
    md5 : checksums of the files with 28, 64, 128 and 224 pixels.
    split_rule, terms, caveat, grouping : for the card; the last says what belongs together.
    """

    domain: str
    origin: str
    task: str
    classes: tuple[str, ...]
    channels: int
    counts: tuple[int, int, int]
    md5: tuple[str, str, str, str]
    split_rule: str
    terms: str = "CC BY 4.0"
    caveat: str = ""
    grouping: str = "No patient numbers are published: one patient may be on two sides."


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split("; "))


SIZES = (28, 64, 128, 224)


ORGANS = _names(
    "bladder; left femur; right femur; heart; left kidney; right kidney; liver; left lung; "
    "right lung; pancreas; spleen"
)


BY_TEN = "the set's own split at 7:1:2"


BY_SCAN = "the set's own split by CT scan: 115 scans to train, 16 to validate, 70 to test"


UNNUMBERED = "No scan numbers are published: slices of one scan count as unrelated."


OWN_TEST = (
    "test is the validation part of the source; train and validation are its training part at 9:1"
)


MEDMNIST: dict[str, MedMNISTInfo] = {
    "path": MedMNISTInfo(
        domain="histology",
        origin="NCT-CRC-HE-100K and CRC-VAL-HE-7K, colorectal cancer",
        task="multi-class",
        classes=_names(
            "adipose; background; debris; lymphocytes; mucus; smooth muscle; "
            "normal colon mucosa; cancer-associated stroma; "
            "colorectal adenocarcinoma epithelium"
        ),
        channels=3,
        counts=(89996, 10004, 7180),
        md5=(
            "a8b06965200029087d5bd730944a56c1",
            "55aa9c1e0525abe5a6b9d8343a507616",
            "ac42d08fb904d92c244187169d1fd1d9",
            "2c51a510bcdc9cf8ddb2af93af1eadec",
        ),
        split_rule=(
            "test is CRC-VAL-HE-7K from another clinical centre; train and validation are "
            "NCT-CRC-HE-100K at 9:1"
        ),
    ),
    "derma": MedMNISTInfo(
        domain="dermatoscopy",
        origin="HAM10000",
        task="multi-class",
        classes=_names(
            "actinic keratoses and intraepithelial carcinoma; basal cell carcinoma; "
            "benign keratosis-like lesions; dermatofibroma; melanoma; melanocytic nevi; "
            "vascular lesions"
        ),
        channels=3,
        counts=(7007, 1003, 2005),
        md5=(
            "0744692d530f8e62ec473284d019b0c7",
            "b70a2f5635c6199aeaa28c31d7202e1f",
            "2defd784463fa5243564e855ed717de1",
            "8974907d8e169bef5f5b96bc506ae45d",
        ),
        split_rule=BY_TEN,
        terms="CC BY-NC 4.0",
    ),
    "oct": MedMNISTInfo(
        domain="retina OCT",
        origin="109,309 optical coherence tomography images, Kermany et al., Cell 172 (2018)",
        task="multi-class",
        classes=("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
        channels=1,
        counts=(97477, 10832, 1000),
        md5=(
            "c68d92d5b585d8d81f7112f81e2d0842",
            "e229e9440236b774d9f0dfef9d07bdaf",
            "0a97e76651ace45c5d943ee3f65b63ae",
            "abc493b6d529d5de7569faaef2773ba3",
        ),
        split_rule=OWN_TEST,
    ),
    "pneumonia": MedMNISTInfo(
        domain="chest X-rays",
        origin="5,856 chest X-rays of children, Kermany et al., Cell 172 (2018)",
        task="binary-class",
        classes=("normal", "pneumonia"),
        channels=1,
        counts=(4708, 524, 624),
        md5=(
            "28209eda62fecd6e6a2d98b1501bb15f",
            "8f4eceb4ccffa70c672198ea285246c6",
            "05b46931834c231683c68f40c47b2971",
            "d6a3c71de1b945ea11211b03746c1fe1",
        ),
        split_rule=OWN_TEST,
    ),
    "retina": MedMNISTInfo(
        domain="retina fundus",
        origin="DeepDRiD challenge, grades of diabetic retinopathy",
        task="ordinal-regression",
        classes=("grade 0", "grade 1", "grade 2", "grade 3", "grade 4"),
        channels=3,
        counts=(1080, 120, 400),
        md5=(
            "bd4c0672f1bba3e3a89f0e4e876791e4",
            "afda852cc34dcda56f86ad2b2457dbcc",
            "e48e916a24454daf90583d4e6efb1a18",
            "eae7e3b6f3fcbda4ae613ebdcbe35348",
        ),
        split_rule=OWN_TEST,
    ),
    "breast": MedMNISTInfo(
        domain="breast ultrasound",
        origin="780 breast ultrasound images",
        task="binary-class",
        classes=("malignant", "normal or benign"),
        channels=1,
        counts=(546, 78, 156),
        md5=(
            "750601b1f35ba3300ea97c75c52ff8f6",
            "742edef2a1fd1524b2efff4bd7ba9364",
            "363e4b3f8d712e9b5de15470a2aaadf1",
            "b56378a6eefa9fed602bb16d192d4c8b",
        ),
        split_rule=BY_TEN,
        caveat=(
            "Label 0 is malignant, so the positive class of the AUC is normal or benign, and "
            "sensitivity is the share of those that is recognised."
        ),
    ),
    "blood": MedMNISTInfo(
        domain="blood cells",
        origin="17,092 microscope images of normal blood cells",
        task="multi-class",
        classes=_names(
            "basophil; eosinophil; erythroblast; immature granulocytes; lymphocyte; "
            "monocyte; neutrophil; platelet"
        ),
        channels=3,
        counts=(11959, 1712, 3421),
        md5=(
            "7053d0359d879ad8a5505303e11de1dc",
            "2b94928a2ae4916078ca51e05b6b800b",
            "adace1e0ed228fccda1f39692059dd4c",
            "b718ff6835fcbdb22ba9eacccd7b2601",
        ),
        split_rule=BY_TEN,
    ),
    "tissue": MedMNISTInfo(
        domain="kidney cells",
        origin="BBBC051, human kidney cortex cells",
        task="multi-class",
        classes=_names(
            "collecting duct, connecting tubule; distal convoluted tubule; "
            "glomerular endothelial cells; interstitial endothelial cells; leukocytes; "
            "podocytes; proximal tubule segments; thick ascending limb"
        ),
        channels=1,
        counts=(165466, 23640, 47280),
        md5=(
            "ebe78ee8b05294063de985d821c1c34b",
            "123ece2eba09d0aa5d698fda57103344",
            "61b955355d7425a89687b06cca3ce0c2",
            "b077128c4a949f0a4eb01517f9037b9c",
        ),
        split_rule=BY_TEN,
        caveat=(
            "The source images are 32 x 32 pixels (the brightest of 7 slices), so the larger files "
            "show no more detail. All cells come from 3 tissue specimens."
        ),
    ),
    "organa": MedMNISTInfo(
        domain="abdominal CT",
        origin="LiTS, axial slices through organs",
        task="multi-class",
        classes=ORGANS,
        channels=1,
        counts=(34561, 6491, 17778),
        md5=(
            "68e3f8846a6bd62f0c9bf841c0d9eacc",
            "2dcccc29b88e6da5a01161ef20cda288",
            "eeae80d0a227a8d099027e1b3cfd3b60",
            "50747347e05c87dd3aaf92c49f9f3170",
        ),
        split_rule=BY_SCAN,
        grouping=UNNUMBERED,
    ),
    "organc": MedMNISTInfo(
        domain="abdominal CT",
        origin="LiTS, coronal slices through organs",
        task="multi-class",
        classes=ORGANS,
        channels=1,
        counts=(12975, 2392, 8216),
        md5=(
            "b9ceb9546e10131b32923c5bbeaea2b1",
            "3ce34a8724ea6f548e6db4744d03b6a9",
            "773c1f009daa3fe5d9a2a201b2a7ed94",
            "050f5e875dc056f6768abf94ec9995d1",
        ),
        split_rule=BY_SCAN,
        grouping=UNNUMBERED,
    ),
    "organs": MedMNISTInfo(
        domain="abdominal CT",
        origin="LiTS, sagittal slices through organs",
        task="multi-class",
        classes=ORGANS,
        channels=1,
        counts=(13932, 2452, 8827),
        md5=(
            "9ab87b696fb54e2a387ebe992d6ed5f1",
            "53a6d115339d874c25e309a994ff46d3",
            "ded0c5fa01a95dc4978b956f613e9b8e",
            "b354719e553fbbb2513d5533f52a4cb1",
        ),
        split_rule=BY_SCAN,
        grouping=UNNUMBERED,
    ),
}
