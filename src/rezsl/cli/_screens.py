"""The texts of the help of every command, in the words that users type."""

from collections.abc import Mapping
from typing import NamedTuple


class Screen(NamedTuple):
    """The help of one command.

    Attributes:
        summary: one clause, as the list of commands has it.
        usage: the arguments after the command.
        examples: command lines, each with the comment above it.
        options: arguments and options with their values as they are typed, each with its description. Their
            descriptions are also those of ``--help all``.
        answers: words and columns of what the command prints, each with its meaning.
    """

    summary: str
    usage: str
    examples: Mapping[str, str] = {}
    options: Mapping[str, str] = {}
    answers: Mapping[str, str] = {}

    @property
    def is_group(self) -> bool:
        """Whether the command only has commands below it."""
        return not self.options


RUN = {"RUN": "a trained model: its directory, or its name on the hub"}
REVISION = {"--revision NAME": "branch, tag or commit of a model of the hub"}
DEVICE = {"--device NAME": "where to compute: auto (default), cpu, cuda or mps"}
MODEL = (
    {
        "--classes FILE": "the table of classes to choose among (default: the model's)",
        "--unseen-only": "choose among classes without training photos alone, where no photo can be of another class",
        "--gamma X": "subtract X from the scores of classes with training photos (default: γ of the training); a "
        "larger X prefers new classes",
        "--store DIR": "for a model trained on a store of regions: the store whose backbone reads photos "
        "(default: its own)",
    }
    | DEVICE
    | REVISION
)
ANSWERS = {
    "probability": "of a class among the candidates: of the photos that get 70 %, about 70 % are right",
    "score": "by which the classes are ranked, less γ for classes with training photos",
    "strangeness": "how unlike the training photos and all candidates a photo is, in standard deviations beyond a "
    "limit that few right answers exceed (in csv and json)",
    "far from every description": "the answer in place of a class where strangeness is above 0, as for a photo of "
    "something else; csv and json have the classes all the same, and far is true",
}
OTHER_DATA = "other data, such as folder with --data.root DIR (default: the data of the run)"

SCREENS = {
    "demo": Screen(
        "train on handwritten digits that are part of rezsl, with three losses side by side",
        "[options]",
        {"rezsl demo": "under a minute"},
        {
            "--run-dir DIR": "where to write models, plots and the page (default: runs/demo)",
            "--seed N": "another seed draws other weights, batches and held-out images (default: 0)",
            "--resume": "continue an interrupted demo, or show the table of a finished one",
        },
    ),
    "fit": Screen(
        "train a model, choose its settings on validation classes, and test it once",
        "--data NAME [options]",
        {
            "rezsl fit --data digits": "handwritten digits, which are part of rezsl",
            "rezsl fit --data folder --data.root signs --run-dir runs/signs": "your own photos: signs/images/<class>/* "
            "and signs/semantics.csv",
            "rezsl fit --config runs/signs/config.yaml --seed 1 --run-dir runs/signs-1": "a run again, with another "
            "seed",
        },
        {
            "--data NAME": "folder (your own photos), digits, apy, awa2, cub, flowers, gtsrb, sun, xlsa17, regions or "
            "synthetic",
            "--data.root DIR": "the directory of the data",
            "--run-dir DIR": "where to write the model, its metrics and its page (default: runs/DATA-N)",
            "--backbone NAME": "for photos: pretrained and frozen (default above 64 pixels), or small_resnet",
            "--backbone.source MODEL": "of pretrained: a folder or a model of the hub (default: facebook/dinov2-small)",
            "--model NAME": "attention (default where a backbone learns), mlp (default elsewhere), linear, eszsl, …",
            "--loss NAME": "the loss on attributes: ReMSELoss (default), MSELoss, …, or null for none",
            "--word-vectors FILE": "word vectors of the attributes' names, for attention",
            "--max-epochs N": "the most epochs to try (default: 20)",
            "--seed N": "another seed draws other weights, batches and held-out images (default: 0)",
            "--accelerator NAME": "where to train: auto (default), cpu, gpu or mps",
            "--devices N": "processes that train one model together, each on a device of its own (default: 1)",
            "--logger NAME": "also log to csv, tensorboard, wandb or mlflow",
            "--config FILE": "a YAML file of options; those after it on the command line override it",
            "--print-config": "print all options as such a file and end",
            "--resume": "continue the interrupted run in --run-dir",
        },
    ),
    "sweep": Screen(
        "search for settings of fit on validation classes, with Optuna; no test image is used",
        "[CONFIG.yaml] --space FILE -o FILE [options of rezsl fit]",
        {
            "rezsl sweep --space space.yaml -o best.yaml --data digits": "the lines of space.yaml are such as: "
            "max_epochs: [10, 20, 40]",
            "rezsl fit --config best.yaml --run-dir runs/best": "and then, the test",
        },
        {
            "--space FILE": "a YAML file with ranges {low, high, log, step} or [choices] by option",
            "--trials N": "trials of the study at the end, earlier ones included (default: 20)",
            "-o, --output FILE": "where to write the best options of rezsl fit",
            "--processes N": "trials at a time; their processes share the cores (default: 1, or all of a cluster)",
            "--backend NAME": "where trials run: loky (this machine, the default), dask or ray",
            "--address ADDRESS": "the scheduler of that cluster of dask or ray, such as tcp://head:8786",
            "--objective METRIC": "the validation metric to maximise (default: H)",
            "--storage FILE": "a file or database URL that processes and machines of one study share (default: a "
            "file beside the output)",
            "--study NAME": "the name of the study in the storage (default: sweep)",
        },
    ),
    "compare": Screen(
        "run methods and losses over data sets and seeds, and put the results side by side",
        "PLAN.yaml -o DIR [options]",
        {
            "rezsl compare configs/plans/digits.yaml -o runs/digits --processes 2": "three losses over five seeds",
            "rezsl compare plan.yaml -o runs/signs --data-root signs=data/signs": "where the plan's data lie here",
        },
        {
            "PLAN.yaml": "a YAML file with datasets, methods, losses, seeds, baseline and search",
            "-o, --output DIR": "where to keep runs, searches and tables; the same command goes on there",
            "--data-root NAME=DIR": "the directory of a data set of the plan; several are separated by spaces",
            "--processes N": "runs at a time; they share the cores (default: 1, or all of a cluster)",
            "--backend NAME": "where runs are: loky (this machine, the default), dask or ray",
            "--address ADDRESS": "the scheduler of that cluster of dask or ray, such as tcp://head:8786",
            "--test NAME": "the test of paired differences from the baseline: t (default) or wilcoxon",
        },
    ),
    "extract": Screen(
        "run a backbone over photos once, and keep their regions for any number of runs",
        "--data NAME --backbone NAME -o DIR [options]",
        {
            "rezsl extract --data folder --data.root signs --backbone pretrained \\\n"
            "    --backbone.source facebook/dinov2-small -o stores/signs": "a network of the hub over your own photos",
            "rezsl fit --data regions --data.root stores/signs --run-dir runs/signs": "and then, trainings of seconds",
        },
        {
            "--data NAME": "data of photos, such as folder (your own), cub, awa2 or sun",
            "--data.root DIR": "the directory of the data",
            "--backbone NAME": "pretrained, or small_resnet with random weights",
            "--backbone.source MODEL": "of pretrained: a model of the hub, such as facebook/dinov2-small, or a folder",
            "-o, --output DIR": "the store: a new directory, or that of an interrupted extraction, which goes on",
            "--dtype TYPE": "the type of the numbers on disk: float16 (default), bfloat16 or float8_e4m3fn",
            "--batch-size N": "images at a time (default: 32)",
            "--shard I/N": "the part of the work that this process does, or those that torchrun or srun "
            "has started here, from 1/N to N/N (default: 1/1)",
            "--seed N": "of random weights (default: 0)",
        } | DEVICE,
    ),
    "evaluate": Screen(
        "score a trained model on the test images of its own or other data",
        "RUN [options]",
        {
            "rezsl evaluate runs/signs": "the test metrics of a run again",
            "rezsl evaluate runs/signs --foreign other": "also the share of photos of other things that are accepted",
        },
        RUN | {
            "--data NAME": OTHER_DATA,
            "--data-root DIR": "where the data of the run lie, if they have moved; --data.root is the same",
            "--foreign DIR": "a folder of images of none of the classes; the share that is accepted is reported",
            "--class-groups FILE": "a CSV file with the columns class and group, or several groups from the coarsest "
            "to the finest; how far off mistakes are is reported",
            "--format FORMAT": "table (default) or json",
        } | DEVICE | REVISION,
    ),
    "report": Screen(
        "write a page on one or more runs: the answer in words, plots, and an error matrix to explore",
        "RUN [RUN …] [options]",
        {
            "rezsl report runs/signs -o signs.html": "one run",
            "rezsl report runs/mse runs/remse -o both.html": "two runs side by side",
        },
        {
            "RUN": "the directories of trained models",
            "-o, --output FILE": "the HTML file to write (default: report.html)",
            "--data NAME": OTHER_DATA,
            "--data-root DIR": "where the data of the run lie, if they have moved; --data.root is the same",
        } | DEVICE,
    ),
    "predict": Screen(
        "name the classes of photos, also classes without any training photo",
        "RUN IMAGES… [options]",
        {
            "rezsl predict runs/signs photo.jpg": "one photo",
            "rezsl predict runs/signs photos/ --top 1 --format csv > names.csv": "a folder of photos, as a table for "
            "other programs",
        },
        RUN | {
            "IMAGES": "photos, folders of photos, or features (.npy, .npz, .mat or .csv), as the model was trained on",
            "--top N": "how many classes to name for each photo (default: 5)",
            "--format FORMAT": "table (default), csv or json",
        } | MODEL,
        ANSWERS,
    ),
    "explain": Screen(
        "draw where a model read each attribute in a photo, and the attributes that decided its class",
        "RUN IMAGE [options]",
        {"rezsl explain runs/signs photo.jpg -o why.png": "the seven attributes that decided"},
        RUN | {
            "IMAGE": "a photo, or a file of feature rows (.npy, .npz, .mat or .csv)",
            "-o, --output FILE": "the picture to write: .png, .pdf or .svg (default: IMAGE-explained.png)",
            "--top N": "how many attributes to draw (default: 7)",
            "--semantics LIST": "the attributes to draw, as '[round, red rim]' (default: those that decided)",
            "--map KIND": "gradient (default): the cells that raise an attribute; attention, if the model has it",
            "--format FORMAT": "text (default) or json",
            "--row N": "the row of a file of features, from 0 (default: 0)",
        } | MODEL,
    ),
    "export": Screen(
        "write a model as one file that other programs run without rezsl, and without PyTorch",
        "RUN [options]",
        {
            "rezsl export runs/signs -o signs.onnx": "for onnxruntime, in Python, browsers, phones and others",
            "rezsl export runs/signs -o small.onnx --quantize int8": "a quarter of the size",
            "rezsl export runs/signs -o signs.html": "the page of rezsl play, without a server",
        },
        RUN | {
            "-o, --output FILE": "the file to write (default: the name of RUN, with .onnx, .pt2 or .html)",
            "--format FORMAT": "onnx, torch for torch.export.load, or html for a page (default: by the ending of "
            "the file, and onnx without one)",
            "--runtime DIR": "for html: the folder dist of the npm package onnxruntime-web "
            "(default: that of make runtime)",
            "--quantize TYPE": "int8 stores the weights of onnx with 8 bits (default: none)",
            "--gamma X": MODEL["--gamma X"],
            "--store DIR": MODEL["--store DIR"],
        } | REVISION,
    ),
    "play": Screen(
        "open a page to show photos to a model, change its table of classes, and see at once what it recognises",
        "RUN [options]",
        {"rezsl play runs/signs --open": "in the browser; Ctrl-C ends it"},
        RUN | {
            "--open": "open the page in the browser",
            "--port N": "the port of the page (default: a free one)",
            "--host ADDRESS": "the address to listen on (default: 127.0.0.1, which only this machine reaches)",
        } | MODEL,
    ),
    "data": Screen("check a data set, or split one's own photos", "COMMAND"),
    "data check": Screen(
        "list what a data set's directory holds and what is missing",
        "DIR [options]",
        {"rezsl data check signs --decode": "your own folder, every photo decoded"},
        {
            "DIR": "your own folder, or the directory of a published data set",
            "--decode": "decode every photo of your own folder",
            "--format FORMAT": "table (default) or json",
        },
    ),
    "data make-splits": Screen(
        "choose unseen classes, validation classes and test photos of your own folder",
        "DIR [options]",
        {
            "rezsl data make-splits signs": "signs/images/<class>/* and signs/semantics.csv",
            "rezsl data make-splits signs --unseen stop 'give way' --overwrite": "unseen classes by name",
        },
        {
            "DIR": "the folder with images/<class>/* and semantics.csv",
            "--unseen SHARE": "unseen classes: a share of the classes with photos, or names (default: 0.2)",
            "--validation SHARE": "validation classes: a share of the other classes, or names; 0 for none (default: "
            "0.2)",
            "--test-seen-share SHARE": "the share of every seen class's photos to test on (default: 0.2)",
            "--groups FILE": "a CSV file with the columns file,group; photos of one group stay together",
            "--group-pattern REGEX": "or a regular expression for file names, whose part in parentheses is the group",
            "--seed N": "another seed draws others (default: 0)",
            "--overwrite": "replace the files of an earlier call",
            "--mat": "also write xlsa17/att_splits.mat, the format of published splits",
        },
    ),
    "semantics": Screen("draft the table that describes classes, from words", "COMMAND"),
    "semantics draft": Screen(
        "draft a table by a text encoder or word vectors, for people to review",
        "CLASSES [ATTRIBUTES] [options]",
        {
            "rezsl semantics draft new.txt --known old.csv --text-encoder MODEL -o new.csv": "new rows from those that "
            "people gave",
            "rezsl semantics draft new.txt attributes.txt --text-encoder MODEL -o new.csv": "from names alone, which "
            "is a weak guide",
        },
        {
            "CLASSES": "a text file with a class per line",
            "ATTRIBUTES": "a text file with an attribute per line; left out with --known",
            "-o, --output FILE": "the table to write, with a line that marks it as drafted (default: "
            "CLASSES-table.csv)",
            "--text-encoder MODEL": "a folder of a CLIP, SigLIP or other text encoder, or a model in the local cache",
            "--word-vectors FILE": "or word vectors of GloVe or word2vec that have the words of all names",
            "--kind WORD": "what all classes are, such as bird, for the text encoder (default: thing)",
            "--known FILE": "a table with rows that people gave; the other classes are drafted from them",
        },
    ),
    "semantics prompt": Screen(
        "write a text that asks any language model for a table",
        "CLASSES ATTRIBUTES [options]",
        {"rezsl semantics prompt classes.txt attributes.txt -o prompt.txt": "for a conversation"},
        {
            "CLASSES": "a text file with a class per line",
            "ATTRIBUTES": "a text file with an attribute per line",
            "-o, --output FILE": "where to write it, in place of the terminal",
            "--kind WORD": "what all classes are, such as birds (default: things)",
            "--examples FILE": "a table whose first five rows show what is meant",
        },
    ),
    "semantics read": Screen(
        "read the reply of a language model, and name what is missing in it",
        "REPLY CLASSES ATTRIBUTES [options]",
        {"rezsl semantics read reply.txt classes.txt attributes.txt -o table.csv": "as it was copied"},
        {
            "REPLY": "the reply: a table as CSV or Markdown, with sentences around it, in one part or several",
            "CLASSES": "the classes that were asked for, one per line",
            "ATTRIBUTES": "the attributes that were asked for, one per line",
            "-o, --output FILE": "the table to write, with a line that marks it as drafted (default: "
            "REPLY-table.csv)",
            "--author NAME": "which model wrote it, for that line",
            "--unseen NAME": "the classes without photos, by which the table is examined",
        },
    ),
    "semantics describe": Screen(
        "describe each class by the vector of a text about it, in place of attributes",
        "DESCRIPTIONS --text-encoder MODEL [options]",
        {"rezsl semantics describe texts.csv --text-encoder MODEL -o table.csv": "columns: class,description"},
        {
            "DESCRIPTIONS": "a CSV file with the columns class and description, or lines such as owl: a bird with …",
            "-o, --output FILE": "the table to write (default: DESCRIPTIONS-table.csv)",
            "--text-encoder MODEL": "a folder of a text encoder, or a model in the local cache",
        },
    ),
    "doctor": Screen(
        "show versions, devices, caches, and what cannot be used because a package is missing",
        "[options]",
        {"rezsl doctor --json": "for programs, and for a report of a problem"},
        {"--json": "print JSON in place of text"},
    ),
}  # fmt: skip

EVERYWHERE = {
    "--import MODULE": "first import a module of the current folder, with models or losses of your own",
    "--verbose": "show the traceback of an error",
}
"""The options of every command, which :func:`rezsl.cli.main` takes out of the command line."""
