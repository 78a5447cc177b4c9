"""The official archives: their parts, and what to download where one is missing."""

from rezsl.data.layout import Layout, Part, within

_CUB_ARCHIVE = "CUB_200_2011.tgz (about 1.2 GB, the Caltech data repository, Caltech-UCSD Birds-200-2011)"
_CUB = "CUB_200_2011"
_CUB_LISTS = ("images.txt", "classes.txt", "image_class_labels.txt", "attributes/class_attribute_labels_continuous.txt")

CUB = Layout(
    "CUB",
    (
        *(Part(name, within(_CUB, name), _CUB_ARCHIVE) for name in _CUB_LISTS),
        # The archive unpacks it beside its folder, not into it.
        Part(
            "attributes.txt",
            (*within(_CUB, "attributes.txt", "attributes/attributes.txt"), "../attributes.txt"),
            _CUB_ARCHIVE,
        ),
        Part("images", within(_CUB, "images"), _CUB_ARCHIVE),
    ),
    ("image_class_labels.txt", _CUB_LISTS[-1], _CUB),
)

_SUN_ARCHIVE = "SUNAttributeDB.tar.gz (a few MB, Brown University, SUN Attribute Database)"
_SUN_IMAGES = "SUNAttributeDB_Images.tar.gz (several GB, Brown University, SUN Attribute Database)"
_SUN = "SUNAttributeDB"
_SUN_LISTS = ("attributes.mat", "images.mat", "attributeLabels_continuous.mat")

SUN = Layout(
    "SUN",
    (
        *(Part(name, within(_SUN, name), _SUN_ARCHIVE) for name in _SUN_LISTS),
        Part(
            "images",
            (*within(_SUN, "images"), "SUNAttributeDB_Images/images", "../images", "../SUNAttributeDB_Images/images"),
            _SUN_IMAGES,
        ),
    ),
    ("attributeLabels_continuous.mat", _SUN, "SUNAttributeDB_Images"),
)

_AWA2_BASE = "AwA2-base.zip (32 KB, Institute of Science and Technology Austria, Animals with Attributes 2)"
_AWA2_IMAGES = "AwA2-data.zip (13 GB, Institute of Science and Technology Austria, Animals with Attributes 2)"
_AWA2 = "Animals_with_Attributes2"
_AWA2_LISTS = ("classes.txt", "predicates.txt", "predicate-matrix-continuous.txt")

AWA2 = Layout(
    "AWA2",
    (
        *(Part(name, within(_AWA2, name), _AWA2_BASE) for name in _AWA2_LISTS),
        Part("JPEGImages", within(_AWA2, "JPEGImages"), _AWA2_IMAGES),
    ),
    ("predicate-matrix-continuous.txt", "predicates.txt", _AWA2),
)

_APY_ARCHIVE = "attribute_data.tar.gz (under 1 MB, University of Illinois, Describing Objects by their Attributes)"
_APY_YAHOO = "ayahoo_test_images.tar.gz (some 100 MB, University of Illinois, Describing Objects by their Attributes)"
_APY_PASCAL = "VOCtrainval_14-Jul-2008.tar (about 550 MB, the PASCAL Visual Object Classes Challenge 2008)"
_APY_LISTS = ("attribute_names.txt", "class_names.txt", "apascal_train.txt", "apascal_test.txt", "ayahoo_test.txt")
_VOC = ("VOC2008/JPEGImages", "VOCdevkit/VOC2008/JPEGImages")

APY = Layout(
    "aPY",
    (
        *(Part(name, within("attribute_data", name), _APY_ARCHIVE) for name in _APY_LISTS),
        Part("VOC2008/JPEGImages", (*_VOC, *(f"../{place}" for place in _VOC), "JPEGImages"), _APY_PASCAL),
        Part("ayahoo_test_images", ("ayahoo_test_images", "../ayahoo_test_images"), _APY_YAHOO),
    ),
    ("apascal_train.txt", "apascal_test.txt", "ayahoo_test.txt", "attribute_data", "ayahoo_test_images"),
)

_FLOWERS = "University of Oxford, Visual Geometry Group, 102 Category Flower Dataset"

FLOWERS = Layout(
    "FLO",
    (
        Part("imagelabels.mat", ("imagelabels.mat", "../imagelabels.mat"), f"imagelabels.mat (under 1 KB, {_FLOWERS})"),
        Part("jpg", within("102flowers", "jpg"), f"102flowers.tgz (about 330 MB, {_FLOWERS})"),
    ),
    ("imagelabels.mat", "jpg", "setid.mat", "102flowers"),
)

_GTSRB_IMAGES = "GTSRB_Final_Training_Images.zip (about 263 MB, Ruhr University Bochum, GTSRB)"

GTSRB = Layout(
    "GTSRB",
    (Part("Final_Training/Images", (*within("GTSRB", "Final_Training/Images"), "Images"), _GTSRB_IMAGES),),
    ("Final_Training", "GTSRB", "Images/00000"),
)

XLSA17 = (
    "xlsa17.zip (several hundred MB, Max Planck Institute for Informatics, Zero-Shot Learning, proposed splits 2.0)"
)
"""Features and proposed splits of CUB, AWA1, AWA2, SUN and aPY."""
