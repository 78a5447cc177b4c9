"""Broken inputs for every reader and every command: one line with four parts, quickly, in bounded memory, no traceback.

A case is a line of the table: a command or a function of :data:`PYTHON` with its file; the file of the world that is
broken, and what is in it instead, or a function that breaks it; how the message begins, with the place and what was
expected; and how it ends, with what to do.
"""

import os
import re
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rezsl.cli.main import USER_ERROR, main
from rezsl.data import read_feature_rows
from rezsl.errors import DataError, RezslError
from rezsl.evaluation import load_predictions
from rezsl.files import read_tensors
from rezsl.semantics import ClassSemantics, load_word_vectors
from tests.hostile import world
from tests.hostile.world import (
    Content,
    a_folder,
    a_loop,
    a_pipe,
    cut,
    entry,
    flipped,
    gone,
    mat,
    more,
    npy,
    npz,
    swapped,
    tensors,
    variables,
)  # fmt: skip

SECONDS, MEBIBYTES = 4, 200
"""What a case may take: seconds of this process, and growth of its memory."""

FIT = "fit --data folder --data.root photos --run-dir new"
XLSA = "fit --data xlsa17 --data.root xlsa --run-dir new"
SYN = "fit --data synthetic --run-dir new"
TOY = "--max-epochs 1 --data synthetic " + world.SMALL.replace("--", "--data.")
NAN = float("nan")

CAME = re.compile(
    "got |found |no such|unknown|unexpected|cannot be|exist|holds|listed|damaged|is a file|begun|over |missing|before the|"
    "in training and in test|no class is called|every class|has no |written by|not a readable|goes on|pixels"
)
"""What came, in the words that the messages have for it."""

PYTHON: dict[str, Callable[[str], Any]] = {
    "read_table": ClassSemantics.from_csv,
    "words": lambda path: load_word_vectors(path, world.WORDS),
    "read_features": read_feature_rows,
    "predictions": lambda path: load_predictions(path, ClassSemantics.from_csv("table.csv")),
    "read_tensors": lambda path: read_tensors(Path(path), DataError),
}

CASES: list[tuple[str, str | None, Content | None, str, str]] = [
    (FIT, "photos/semantics.csv", "", "photos/semantics.csv: expected the header 'class,<attribute>,…'", "a table with a row per attribute begins with 'attribute,<class>,…'"),
    (FIT, "photos/semantics.csv", b"\x00\x01\x02"*40, "photos/semantics.csv: expected the header 'class,<attribute>,…'", "a table with a row per attribute begins with 'attribute,<class>,…'"),
    (FIT, "photos/semantics.csv", gone, 'photos/semantics.csv: no such file', 'check the path'),
    (FIT, "photos/semantics.csv", a_folder, 'photos/semantics.csv: expected comma-separated text', 'name a file'),
    (FIT, "photos/semantics.csv", a_pipe, 'photos/semantics.csv: expected comma-separated text', 'copy its content into a file, and name that'),
    (FIT, "photos/semantics.csv", a_loop, 'photos/semantics.csv: no such file', 'check the path'),
    (FIT, "photos/semantics.csv", "class\nant\n", "photos/semantics.csv: expected the header 'class,<attribute>,…'", "a table with a row per attribute begins with 'attribute,<class>,…'"),
    (FIT, "photos/semantics.csv", "class,fur\n", 'photos/semantics.csv: expected a row per class below the header', 'add rows'),
    (FIT, "photos/semantics.csv", swapped("ant,","gnu,"), "photos/semantics.csv: classes: expected rows for 'ant'", 'add a row for each to the table'),
    (FIT, "photos/semantics.csv", swapped("bee,","ant,"), 'photos/semantics.csv, line 3: expected unique names', 'keep one of them'),
    (FIT, "photos/semantics.csv", swapped("fur","wings"), 'photos/semantics.csv: attributes: expected unique names', 'rename or remove the others'),
    (FIT, "photos/semantics.csv", swapped("bee,1,0.2","bee,1e999,0.2"), 'photos/semantics.csv: values: expected finite numbers', 'correct the value'),
    (FIT, "photos/semantics.csv", swapped("bee,1,0.2","bee,much,0.2"), "photos/semantics.csv, line 3, attribute 'fur': expected a number, a percentage, yes, no, x, or ? for an unknown value", 'correct the cell'),
    (FIT, "photos/semantics.csv", swapped("bee,1,0.2,5,2","bee,0,0,0,0"), 'photos/semantics.csv: values: expected an attribute other than 0 in every row', 'the cosine to it is undefined, add an attribute'),
    (FIT, "photos/semantics.csv", swapped("bee,1,0.2,5,2","bee,?,?,?,?"), "photos/semantics.csv, line 3: expected a known value for class 'bee'", 'fill in one or remove it'),
    (FIT, "photos/semantics.csv", swapped("bee,1,0.2,5,2","bee,1,0.2,5"), 'photos/semantics.csv, line 3: expected 5 cells', 'correct the file'),
    (FIT, "photos/semantics.csv", swapped("fur,","\"fur,"), 'photos/semantics.csv: expected a row per class below the header', 'add rows'),
    (FIT, "photos/semantics.csv", "class,"+"a"*200000+"\nant,1\n", 'photos/semantics.csv: expected comma-separated text', 'correct the file'),
    ("read_table table.csv", "table.csv", swapped("class,",""), 'table.csv, line 2: expected 4 cells', 'correct the file'),
    ("read_table table.csv", "table.csv", swapped("fur",""), 'table.csv: attributes: expected names', 'name it'),
    (FIT, "photos/splits.csv", "", 'photos/splits.csv: expected the columns file, class, split', 'correct the file'),
    (FIT, "photos/splits.csv", "file,class\na,b\n", 'photos/splits.csv: expected the columns file, class, split', 'correct the file'),
    (FIT, "photos/splits.csv", swapped("test_seen","testing"), 'photos/splits.csv, line 5: expected a split of train, val, test_seen, test_unseen', 'the same holds for 4 other lines'),
    (FIT, "photos/splits.csv", swapped("images/ant/0.png","images/ant/9.png"), "photos/splits.csv: 1 listed files do not exist: 'images/ant/9.png'", 'correct the paths, or remove the lines'),
    (FIT, "photos/splits.csv", swapped("images/ant/0.png","../a.png"), 'photos/splits.csv: expected files inside the folder', 'copy them into the folder, and list them by their path in it'),
    (FIT, "photos/splits.csv", swapped("images/ant/0.png","images/ant/1.png"), "photos/splits.csv: files listed more than once: 'photos/images/ant/1.png'", 'list each once'),
    (FIT, "photos/splits.csv", swapped("ant,ant3,","ant,ant0,"), "photos/splits.csv: groups with images in training and in test: 'ant0'", 'move each to one side'),
    (FIT, "photos/splits.csv", swapped(",ant,",",gnu,"), "photos/semantics.csv: classes: expected rows for 'gnu'", 'add a row for each to the table'),
    (FIT, "photos/splits.csv", "file,class,group,split\n", 'photos: inputs: expected at least one', 'add some'),
    (FIT, "photos/places.csv", lambda p:p.write_text("attribute,y,x\nfur,1,1\n"), 'photos/places.csv: expected the columns attribute, y, x, spread', 'correct the file'),
    (FIT, "photos/places.csv", lambda p:p.write_text("attribute,y,x,spread\nfin,0.5,0.5,1\n"), 'photos/places.csv, line 2: expected an attribute of the table', 'correct the name'),
    (FIT, "photos/places.csv", lambda p:p.write_text("attribute,y,x,spread\nfur,0.5,9,1\n"), 'photos/places.csv: places: expected y and x from 0 to 1 and a spread above 0', 'correct the numbers'),
    (FIT, "photos/places.csv", lambda p:p.write_text("attribute,y,x,spread\nfur,a,0.5,1\n"), 'photos/places.csv, line 2: expected numbers for y, x and spread', 'correct the line'),
    (FIT, "photos/places.csv", lambda p:p.write_text("attribute,y,x,spread\nfur,0,0,1\nfur,0,0,1\n"), 'photos/places.csv, line 3: expected each attribute once', 'remove one line'),
    (FIT, "photos/images", gone, "photos/splits.csv: 24 listed files do not exist: 'images/ant/0.png', 'images/ant/1.png', 'images/ant/2.png' and 21 more", 'correct the paths, or remove the lines'),
    (FIT, "photos", gone, 'photos: no such folder', 'check the path'),
    ("fit --data folder --data.root a.png --run-dir new", None, None, 'a.png: expected a folder with images/<class>/<image files> and semantics.csv', 'name a folder'),
    (FIT, "photos/images/ant/0.png", b"", 'photos/images/ant/0.png: expected an image', 'restore it from a copy, or leave it out'),
    (FIT, "photos/images/ant/0.png", cut(40), 'photos/images/ant/0.png: expected an image', 'restore it from a copy, or leave it out'),
    (FIT, "photos/images/ant/0.png", b"GIF89a", 'photos/images/ant/0.png: expected an image', 'restore it from a copy, or leave it out'),
    ("predict seeing a.png", "a.png", b"", 'a.png: expected an image', 'restore it from a copy, or leave it out'),
    ("predict seeing a.png", "a.png", cut(50), 'a.png: cannot be read', 'restore it from a copy, or leave it out'),
    ("predict seeing a.png", "a.png", gone, 'a.png: no such file', 'check the path'),
    ("predict seeing a.png", "a.png", a_pipe, 'a.png: expected an image', 'copy its content into a file, and name that'),
    ("predict seeing a.txt", "a.txt", lambda p:p.write_text("words"), 'a.txt: expected an image', 'restore it from a copy, or leave it out'),
    ("explain seeing a.png", "a.png", b"\xff\xd8\xff\xe0", 'a.png: expected an image', 'restore it from a copy, or leave it out'),
    ("explain seeing photos/images/ant", None, None, 'photos/images/ant: expected one photo', 'give one of its 4 photos, such as photos/images/ant/0.png'),
    ("explain seeing a.png --row 3", None, None, '--row: expected a row of a.png, from 0 to 0', 'see rezsl explain --help'),
    ("explain seeing a.png --semantics [gills]", None, None, '--semantics: expected attributes of the model', 'correct the name'),
    ("explain seeing a.png -o nowhere/x.png", None, None, '-o: expected a file in a directory that exists', 'make nowhere first'),
    ("explain seeing a.png --top 0", None, None, '--top: expected at least 1', 'see rezsl explain --help'),
    ("predict seeing a.png --top 0", None, None, '--top: expected at least 1', 'see rezsl predict --help'),
    ("predict seeing a.png --gamma nan", None, None, '--gamma: expected a number', 'see rezsl predict --help'),
    ("predict seeing a.png --classes table.csv", "table.csv", swapped("fur","fins"), "table.csv: attributes: expected the attributes of the model's own table", "unknown: 'fins'"),
    ("predict seeing a.png --classes table.csv", "table.csv", "", "table.csv: expected the header 'class,<attribute>,…'", "a table with a row per attribute begins with 'attribute,<class>,…'"),
    ("predict seeing a.png --store nowhere", None, None, 'nowhere: no such folder', 'check the path'),
    ("predict seeing a.png --store store", None, None, 'model: expected one that was trained on a store of regions', 'use it as it is'),
    ("predict a.png seeing", None, None, 'a.png: expected the run before the images', 'give seeing first, and then a.png'),
    ("predict photos a.png", None, None, 'photos: expected a folder with a trained model', 'train a model on it with rezsl fit --data folder --data.root photos'),
    ("predict seeing a.npy", None, None, 'a.npy: inputs: this model expects images', 'give photos, or a model that was trained on features'),
    ("predict run a.npy", "a.npy", b"", 'a.npy: expected an array of numbers', 'restore the file from a copy'),
    ("predict run a.npy", "a.npy", cut(-4), 'a.npy: expected 96 bytes of numbers, as its header declares (float32 of shape (3, 8))', 'restore the file from a copy'),
    ("predict run a.npy", "a.npy", cut(30), 'a.npy: expected an array of numbers', 'restore the file from a copy'),
    ("predict run a.npy", "a.npy", npy(np.ones((3,5))), 'a.npy: inputs: expected features of 8 dimensions', 'use the features that the model was trained on'),
    ("predict run a.npy", "a.npy", npy(np.full((3,8),NAN)), 'a.npy row 0: expected finite features', '2 more inputs have no answer'),
    ("predict run a.npy", "a.npy", npy(np.ones((3,8),complex)), 'a.npy: expected features as N × D numbers', 'save a row of numbers for each input'),
    ("predict run a.npy", "a.npy", npy(np.array(["a"])), 'a.npy: expected features as N × D numbers', 'save a row of numbers for each input'),
    ("predict run a.npy", "a.npy", npy(np.array([{}],dtype=object)), 'a.npy: expected an array of numbers', 'restore the file from a copy'),
    ("predict run a.npy", "a.npy", npy(np.ones((2,2,2))), 'a.npy: expected features as N × D numbers', 'save a row of numbers for each input'),
    ("predict run a.npy", "a.npy", npy(np.ones((0,8))), 'a.npy: expected features as N × D numbers', 'save a row of numbers for each input'),
    ("predict run a.npy", "a.npy", npy(np.full((1,8),1e300)), 'a.npy row 0: expected finite features', 'write the row again'),
    ("predict run a.npy", "a.npy", gone, 'a.npy: no such file', 'check the path'),
    ("predict run a.mat", "a.mat", lambda p:p.write_bytes(mat(other=np.ones(3))), "a.mat: expected a variable 'features'", 'save it too'),
    ("predict run a.mat", "a.mat", lambda p:p.write_bytes(mat(features=np.ones((8,3)))[:200]), 'a.mat: cannot be read', 'perhaps it was cut short in copying, so copy it again'),
    ("predict run a.png", None, None, 'inputs: this model expects feature vectors of 8 numbers', 'compute the features of the images as those that it was trained on'),
    ("read_features a.npy", "a.npy", b"PK\x03\x04"+bytes(40), 'a.npy: expected an array of numbers', 'restore the file from a copy'),
    (XLSA, "xlsa/att_splits.mat", b"", 'xlsa/att_splits.mat: expected a MATLAB file', 'perhaps it was cut short in copying, so copy it again'),
    (XLSA, "xlsa/att_splits.mat", gone, 'xlsa/att_splits.mat: no such file', 'check the path'),
    (XLSA, "xlsa/att_splits.mat", cut(300), 'xlsa/att_splits.mat: cannot be read', 'perhaps it was cut short in copying, so copy it again'),
    (XLSA, "xlsa/att_splits.mat", variables(att=...), "xlsa/att_splits.mat: expected a variable 'att'", 'save it too'),
    (XLSA, "xlsa/att_splits.mat", variables(att=np.ones((2,2,2))), "xlsa/att_splits.mat: expected 'att' as numbers of attributes × classes", 'save the table so'),
    (XLSA, "xlsa/att_splits.mat", variables(att=np.full((4,6),NAN)), 'xlsa/att_splits.mat: expected a known value of every attribute', 'fill in one, remove the attribute, or choose missing keep'),
    (XLSA, "xlsa/att_splits.mat", variables(att=np.array(["text"])), "xlsa/att_splits.mat: expected 'att' as numbers of attributes × classes", 'save the table so'),
    (XLSA, "xlsa/att_splits.mat", variables(trainval_loc=np.array([[0.0,1.0]])), "xlsa/att_splits.mat: expected indices from 1 in 'trainval_loc'", 'count the images from 1'),
    (XLSA, "xlsa/att_splits.mat", variables(trainval_loc=np.array([[1.5]])), "xlsa/att_splits.mat: expected whole numbers in 'trainval_loc'", 'correct it'),
    (XLSA, "xlsa/att_splits.mat", variables(trainval_loc=np.array([[999.0]])), 'xlsa (res101.mat, att_splits.mat): split.trainval: expected indices in [0, 24)', 'count the images from 0, or from 1 in MATLAB files'),
    (XLSA, "xlsa/att_splits.mat", variables(trainval_loc=np.array([[1e300]])), "xlsa/att_splits.mat: expected whole numbers in 'trainval_loc'", 'correct it'),
    (XLSA, "xlsa/att_splits.mat", variables(trainval_loc=np.array([["a"]])), "xlsa/att_splits.mat: expected whole numbers in 'trainval_loc'", 'save it as numbers'),
    (XLSA, "xlsa/att_splits.mat", variables(trainval_loc=np.array([[4.0,20.0,21.0]])), 'xlsa (res101.mat, att_splits.mat): split.trainval and split.test_seen: expected no image in both', 'keep each in one'),
    (XLSA, "xlsa/att_splits.mat", variables(allclasses_names=np.array(["a"],dtype=object)), "xlsa/att_splits.mat: expected 6 names in 'allclasses_names', as 'att' has", 'save a name for each class, or leave it out'),
    (XLSA, "xlsa/att_splits.mat", variables(original_att=np.ones((2,2))), "xlsa/att_splits.mat: expected 'original_att' as numbers of the shape of 'att', (4, 6)", 'save both tables so, or leave it out'),
    (XLSA, "xlsa/res101.mat", variables(labels=np.full((24,1),9.0)), 'xlsa/res101.mat: expected labels from 1 to 6, the classes of att_splits.mat', 'take both from one folder of xlsa17'),
    (XLSA, "xlsa/res101.mat", variables(labels=np.ones((3,1))), "xlsa/res101.mat: expected 'features' as dimensions × 3 images (as many as 'labels')", 'save its transpose'),
    (XLSA, "xlsa/res101.mat", variables(labels=np.full((24,1),NAN)), "xlsa/res101.mat: expected whole numbers in 'labels'", 'correct it'),
    (XLSA, "xlsa/res101.mat", variables(features=...), "xlsa/res101.mat: expected a variable 'features'", 'save it too'),
    (XLSA, "xlsa/res101.mat", variables(features=np.full((3,24),NAN)), 'xlsa (res101.mat, att_splits.mat): inputs: expected finite features', 'correct the row, or leave it out'),
    (XLSA, "xlsa/res101.mat", variables(features=np.ones((3,20))), "xlsa/res101.mat: expected 'features' as dimensions × 24 images (as many as 'labels')", 'save both in one order'),
    (XLSA, "xlsa/res101.mat", gone, 'xlsa/res101.mat: no such file', 'check the path'),
    (XLSA, "xlsa/attributes.txt", lambda p:p.write_text("one\n"), 'xlsa/attributes.txt: expected 4 names, one per line', 'write one for each attribute, or remove the file'),
    (XLSA, "xlsa/attributes.txt", lambda p:p.write_bytes(b"\xff\xfe\x00"), 'xlsa/attributes.txt: expected text', 'unpack the archive again'),
    (XLSA+" --data.split ../att", None, None, 'xlsa/../att.mat: no such file', 'check the path'),
    ("evaluate seeing --data folder --data.root photos --data.value-range 0 4095", None, None, '--data.value-range: expected no range, because the model reads the customary one of each type, as in training, got 0 4095', 'leave it out, or train a model with it'),
    ("evaluate run", "run/model.json", "", 'run/model.json: expected the description of a rezsl model', 'give a directory that holds a finished run'),
    ("evaluate run", "run/model.json", "[]", 'run/model.json: expected the description of a rezsl model', 'give a directory that holds a finished run'),
    ("evaluate run", "run/model.json", "{}", 'run/model.json: expected the description of a rezsl model', 'give a directory that holds a finished run'),
    ("evaluate run", "run/model.json", cut(200), 'run/model.json: expected the description of a rezsl model', 'give a directory that holds a finished run'),
    ("evaluate run", "run/model.json", "["*100000, 'run/model.json: expected the description of a rezsl model', 'give a directory that holds a finished run'),
    ("evaluate run", "run/model.json", gone, 'run: expected a folder with a trained model', 'go on with rezsl fit --run-dir run --resume'),
    ("evaluate run", "run/model.json", entry("format",99), 'run/model.json: written by a newer rezsl (format 99', 'upgrade rezsl'),
    ("evaluate run", "run/model.json", entry("format","4"), 'run/model.json: expected the description of a rezsl model', 'give a directory that holds a finished run'),
    ("evaluate run", "run/model.json", entry("network.class","Evil"), "run: unknown SemanticModel class 'Evil'", 'if it is your own, import its module first, on the command line with --import MODULE'),
    ("evaluate run", "run/model.json", entry("network",7), 'run: not a readable model', 'give a directory that holds a finished run'),
    ("evaluate run", "run/model.json", entry("network.options",{"a":1}), 'run: not a readable model', 'give a directory that holds a finished run'),
    ("evaluate run", "run/model.json", entry("semantics.classes",["a"]), 'run: not a readable model', 'give a directory that holds a finished run'),
    ("evaluate run", "run/model.json", entry("gamma","high"), 'run: not a readable model', 'give a directory that holds a finished run'),
    ("evaluate run", "run/model.json", entry("seen_classes",["gnu"]), 'run: not a readable model', 'give a directory that holds a finished run'),
    ("evaluate run", "run/model.json", entry("sha256",...), 'run/model.safetensors: expected the recorded checksum …', 'copy both files of the model again'),
    ("evaluate run", "run/model.json", entry("sha256",5), 'run/model.safetensors: expected the recorded checksum 5…', 'copy both files of the model again'),
    ("evaluate run", "run/model.json", entry("backbone",...), 'run: not a readable model', 'give a directory that holds a finished run'),
    ("evaluate run", "run/model.safetensors", gone, 'run/model.safetensors: cannot be read (No such file or directory)', 'copy both files of the model again'),
    ("evaluate run", "run/model.safetensors", cut(100), 'run/model.safetensors: expected the recorded checksum 2330bb68…', 'copy both files of the model again'),
    ("evaluate run", "run/model.safetensors", flipped(-1), 'run/model.safetensors: expected the recorded checksum 2330bb68…', 'copy both files of the model again'),
    ("evaluate run", "run/config.yaml", gone, 'run/config.yaml: expected the options of the run', 'name its benchmark with --data, such as --data folder --data.root signs'),
    ("evaluate run", "run/config.yaml", "", "run/config.yaml: expected an entry 'data'", 'name the benchmark of the run with --data'),
    ("evaluate run", "run/config.yaml", "data: [1, 2]", 'run/config.yaml: data: expected a benchmark and its options, as rezsl fit writes them', 'correct the file, or name the benchmark with --data'),
    ("evaluate run", "run/config.yaml", "data: {class_path: synthetic, init_args: {classes: many}}", 'run/config.yaml: data: expected a benchmark and its options, as rezsl fit writes them', 'correct the file, or name the benchmark with --data'),
    ("evaluate run", "run/config.yaml", "a: [1", 'run/config.yaml: expected YAML', 'correct the file, or name the benchmark with --data'),
    ("evaluate run", "run/config.yaml", b"\xff\xff\xff", "run/config.yaml: expected an entry 'data'", 'name the benchmark of the run with --data'),
    ("evaluate run", "run/config.yaml", "data: digits", 'run/config.yaml: data: expected a benchmark and its options, as rezsl fit writes them', 'correct the file, or name the benchmark with --data'),
    ("report run", "run/config.yaml", "data: digits", 'run/config.yaml: data: expected a benchmark and its options, as rezsl fit writes them', 'correct the file, or name the benchmark with --data'),
    ("report run -o nowhere/x.html", None, None, '-o: expected a file in a directory that exists', 'make nowhere first'),
    ("report run -o photos", None, None, '-o: expected a file', 'name a file in it, as photos/report.html'),
    ("report run run", None, None, 'RUN: expected different directories', 'give each once'),
    ("report photos", None, None, 'photos: expected a folder with a trained model', 'train a model on it with rezsl fit --data folder --data.root photos'),
    ("report run", "run/metrics.json", "[]", 'run/metrics.json: expected a JSON object', 'restore the file from a copy'),
    ("report run", "run/settings.json", "{", 'run/settings.json: expected a JSON object', 'restore the file from a copy'),
    ("report run", "run/validation_errors.npz", b"PK", "run/validation_errors.npz: expected the error matrices of a run's epochs", 'restore the file from a copy'),
    ("report run", "run/model.json", a_folder, 'run: expected a folder with a trained model', 'go on with rezsl fit --run-dir run --resume'),
    ("fit --run-dir unfinished --resume", "unfinished/selection.json", "{}", 'unfinished/selection.json: expected a number for each of epochs, gamma, t1, harmonic_mean, standard_', 'the file is damaged, move it away to select again'),
    ("fit --run-dir unfinished --resume", "unfinished/selection.json", "[", 'unfinished/selection.json: expected the choice of a run', 'move it away to select again'),
    ("fit --run-dir unfinished --resume", "unfinished/settings.json", entry("seed",5), '--run-dir: unfinished was begun with other settings (seed: 5 → 0)', 'resume with the same ones, or choose another directory'),
    ("fit --run-dir unfinished --resume", "unfinished/settings.json", "nothing", 'unfinished/settings.json: expected the settings of a run', 'restore the file from a copy'),
    ("fit --run-dir unfinished --resume", "unfinished/config.yaml", "seed: [1", 'unfinished/config.yaml: expected YAML', 'correct the file'),
    ("fit --run-dir unfinished --resume", "unfinished/checkpoints/refit.safetensors", cut(100), 'unfinished/checkpoints/refit.safetensors: expected a checkpoint', 'move it away to train this stage again'),
    ("fit --run-dir unfinished --resume", "unfinished/history.csv", "x\n", 'unfinished/history.csv: expected the columns stage, protocol, epoch, seconds, learning_rate, total, ', 'the file is damaged, move it away to go on without them'),
    ("fit --run-dir nowhere --resume", None, None, '--run-dir: nowhere does not exist, so there is nothing to resume', 'check the path'),
    ("fit --data digits --run-dir run", None, None, '--run-dir: run holds a finished run', 'choose another directory, or remove it first'),
    ("fit --data digits --run-dir photos", None, None, '--run-dir: photos holds other files', 'choose another directory'),
    ("fit --data digits --run-dir a.png", None, None, '--run-dir: a.png is a file', 'expected a new or empty directory'),
    ("fit --data regions --data.root store --run-dir new", "store/manifest.json", "", 'store/manifest.json: expected the manifest of a store of regions', 'give a directory that rezsl extract has written, or extract again with this version'),
    ("fit --data regions --data.root store --run-dir new", "store/manifest.json", entry("format",1), 'store/manifest.json: expected the manifest of a store of regions in format 2', 'give a directory that rezsl extract has written, or extract again with this version'),
    ("fit --data regions --data.root store --run-dir new", "store/manifest.json", entry("count",-1), 'store/manifest.json: expected the manifest of a store of regions', 'give a directory that rezsl extract has written, or extract again with this version'),
    ("fit --data regions --data.root store --run-dir new", "store/manifest.json", entry("count",10**12), 'store/regions.bin: expected 2,048,000,000,000,000 bytes (1000000000000 × 16 × 64 numbers of 2)', 'the file was cut off or replaced, so remove store and extract again'),
    ("fit --data regions --data.root store --run-dir new", "store/manifest.json", entry("dtype","int8"), 'store/manifest.json: expected the manifest of a store of regions', 'give a directory that rezsl extract has written, or extract again with this version'),
    ("fit --data regions --data.root store --run-dir new", "store/manifest.json", entry("backbone",[]), 'store/manifest.json: expected the manifest of a store of regions', 'give a directory that rezsl extract has written, or extract again with this version'),
    ("fit --data regions --data.root store --run-dir new", "store/manifest.json", entry("dataset",[]), 'store/manifest.json: expected the manifest of a store of regions', 'give a directory that rezsl extract has written, or extract again with this version'),
    ("fit --data regions --data.root store --run-dir new", "store/regions.bin", cut(100), 'store/regions.bin: expected 49,152 bytes (24 × 16 × 64 numbers of 2)', 'the file was cut off or replaced, so remove store and extract again'),
    ("fit --data regions --data.root store --run-dir new", "store/regions.bin", gone, 'store/regions.bin: expected 49,152 bytes (24 × 16 × 64 numbers of 2)', 'the file was cut off or replaced, so remove store and extract again'),
    ("fit --data regions --data.root store --data.verify true --run-dir new", "store/regions.bin", flipped(50), 'store/regions.bin: the regions of images 0 to 23 are damaged', 'emove store/chunks/000000.json and run the same rezsl extract to have them extracted again'),
    ("fit --data regions --data.root store --run-dir new", "store/chunks/000000.json", gone, 'store: expected 1 finished chunks of 512 images, 1 are missing', 'run the same rezsl extract (of every shard) until it has finished'),
    ("fit --data regions --data.root store --run-dir new", "store/chunks/000000.json", "{}", 'store/chunks/000000.json: expected the record of images 0 to 23', 'remove the file and run the same rezsl extract to have them extracted again'),
    ("fit --data regions --data.root store --run-dir new", "store/dataset.json", cut(20), 'store/dataset.json: expected the names of a benchmark', 'remove the file and run the same rezsl extract'),
    ("fit --data regions --data.root store --run-dir new", "store/dataset.json", entry("semantics",...), 'store/dataset.json: store/dataset.json: expected the names of the benchmark in dataset.safetensors', 'remove the file and run the same rezsl extract'),
    ("fit --data regions --data.root store --run-dir new", "store/dataset.json", entry("notes",5), 'store/dataset.json: store/dataset.json: expected the names of the benchmark in dataset.safetensors', 'remove the file and run the same rezsl extract'),
    ("fit --data regions --data.root store --run-dir new", "store/dataset.safetensors", cut(9), 'store/dataset.safetensors: expected the tensors of a benchmark', 'remove the file and run the same rezsl extract'),
    ("fit --data regions --data.root store --run-dir new", "store/dataset.safetensors", tensors(labels=torch.ones(3)), 'store/dataset.json: semantics: expected semantics.values', 'write the file again'),
    ("extract --data folder --data.root photos --backbone small_resnet -o store", "store/manifest.json", entry("regions",1), 'store: expected a store of the same regions', 'use the same data and options, or choose another directory'),
    ("extract --data synthetic --backbone small_resnet -o new", None, None, '--data: expected a benchmark of images', 'fit them as they are'),
    ("extract --data folder --data.root photos --backbone small_resnet -o a.png", None, None, 'a.png: expected a folder', 'choose another place'),
    ("extract --data folder --data.root photos --backbone small_resnet -o new --shard 5/4", None, None, '--shard: expected I/N with 1 ≤ I ≤ N, such as 1/4', 'see rezsl extract --help'),
    ("extract --data folder --data.root photos --backbone small_resnet -o new --chunk 0", None, None, '--chunk: expected at least 1', 'see rezsl extract --help'),
    ("compare plan.yaml -o new", "plan.yaml", "", 'plan.yaml: expected a plan with datasets, methods and losses', 'write them as in configs/plans/digits.yaml'),
    ("compare plan.yaml -o new", "plan.yaml", "- a", 'plan.yaml: expected a plan with datasets, methods and losses', 'write them as in configs/plans/digits.yaml'),
    ("compare plan.yaml -o new", "plan.yaml", "a: &a [*a]", 'plan.yaml: expected a YAML file of at most 200,000 entries', 'correct the file'),
    ("compare plan.yaml -o new", "plan.yaml", swapped("seeds: [0]","seeds: [-1]"), 'plan.yaml: seeds: expected a list of different whole numbers of at least 0', 'correct it'),
    ("compare plan.yaml -o new", "plan.yaml", swapped("seeds: [0]","seeds: 0"), 'plan.yaml: seeds: expected a value of type list', 'correct it'),
    ("compare plan.yaml -o new", "plan.yaml", swapped("seeds: [0]",""), 'plan.yaml: expected an entry seeds', 'add it'),
    ("compare plan.yaml -o new", "plan.yaml", swapped("loss: MSE}","loss: L9}"), 'plan.yaml: baseline: expected {method, loss} of one of the rows (linear with none, linear with MSE)', 'name one'),
    ("compare plan.yaml -o new", "plan.yaml", swapped("model: linear","model: lineer"), "PLAN.yaml: toy/linear/none: --model: unknown 'lineer' (did you mean linear?)", 'dap, eszsl, gem, latem, linear, mlp, sae, smoothed, sync, tf_vaegan'),
    ("compare plan.yaml -o new", "plan.yaml", swapped("  MSE:","  ../MSE:"), 'plan.yaml: losses: expected names that can name a folder', 'put odd ones in quotes'),
    ("compare plan.yaml -o new", "plan.yaml", more("search: {trials: 2, space: {lr: [1, 2]}}\n"), 'PLAN.yaml: toy/linear/none: search: lr: unknown option --lr (did you mean --logger?)', 'see rezsl fit --help'),
    ("compare plan.yaml -o new", "plan.yaml", more("search: {trials: 0}\n"), 'plan.yaml: search: expected trials of at least 1', 'or leave search out'),
    ("compare plan.yaml -o new", "plan.yaml", more("extra: 1\n"), "plan.yaml: unknown entry 'extra'", 'expected datasets, methods, losses, seeds, baseline, pairs, options, search'),
    ("compare plan.yaml -o photos", None, None, '-o: photos holds other files', 'choose a new directory'),
    ("compare plan.yaml -o a.png", None, None, '-o: expected a directory', 'choose another place'),
    ("compare plan.yaml -o new --data-root toy", None, None, '--data-root: expected NAME=PATH, as in awa1=data/AWA1', 'write it so'),
    ("compare plan.yaml -o new --processes 0", None, None, '--processes: expected at least 1', 'see rezsl compare --help'),
    ("sweep %s --space space.yaml -o best.yaml", "space.yaml", "", 'space.yaml: expected options with ranges or lists of choices', 'add some'),
    ("sweep %s --space space.yaml -o best.yaml", "space.yaml", "optimization.learning_rate: {low: 2, high: 1}", 'space.yaml: optimization.learning_rate: expected low below high', 'the range is empty'),
    ("sweep %s --space space.yaml -o best.yaml", "space.yaml", "optimization.learning_rate: {low: .nan, high: 1}", 'space.yaml: optimization.learning_rate: expected low to be a number', 'correct it'),
    ("sweep %s --space space.yaml -o best.yaml", "space.yaml", "optimization.learning_rate: [0.1]", 'space.yaml: optimization.learning_rate: expected at least two choices', 'set it in the run instead'),
    ("sweep %s --space space.yaml -o best.yaml", "space.yaml", "lr: [0.1, 0.2]", 'space.yaml: lr: unknown option --lr (did you mean --logger?)', 'see rezsl fit --help'),
    ("sweep %s --space space.yaml -o best.yaml", "space.yaml", "seed: [1, 2]", 'space.yaml: seed: expected an option that may be chosen by validation', 'remove it'),
    ("sweep %s --space space.yaml -o best.yaml", "space.yaml", "max_epochs: [one, two]", 'space.yaml: max_epochs: --max-epochs: expected a whole number', 'see rezsl fit --help'),
    ("sweep %s --space space.yaml --trials 2 -o best.yaml", "best.journal", a_folder, 'best.journal: expected a file', 'name a file in it'),
    ("sweep %s --space space.yaml --trials 2 -o best.yaml --storage sqlite:///best.journal", None, None, '--storage: expected a database of studies, but this one of sqlite cannot be used (file is not a database)', 'check the address, restore the database from a copy, or name another one'),
    ("sweep %s --space space.yaml --trials 2 -o best.yaml --storage nosql://x", None, None, '--storage: expected sqlite, postgresql or mysql before ://', 'give one of these'),
    ("sweep %s --space space.yaml --trials 0 -o best.yaml", None, None, '--trials: expected at least 1', 'see rezsl sweep --help'),
    ("sweep %s --space space.yaml -o photos", None, None, '-o: expected a file', 'name a file in it, as photos/best.yaml'),
    ("fit --config options.yaml --run-dir new", "options.yaml", "", "options.yaml: expected options, one a line such as 'seed: 1'", 'correct the file'),
    ("fit --config options.yaml --run-dir new", "options.yaml", "- 1", "options.yaml: expected options, one a line such as 'seed: 1'", 'correct the file'),
    ("fit --config options.yaml --run-dir new", "options.yaml", "base: options.yaml", 'options.yaml: base: expected another file', 'remove it'),
    ("fit --config options.yaml --run-dir new", "options.yaml", "base: 5", 'options.yaml: base: expected the name of a YAML file, such as base.yaml', 'correct it'),
    ("fit --config options.yaml --run-dir new", "options.yaml", "data: digits\nmax_epoch: 1", "unknown option 'max_epoch' in the configuration (did you mean max_epochs?)", 'see rezsl fit --help'),
    ("fit --config options.yaml --run-dir new", "options.yaml", "data: digits\nmax_epochs: .inf", '--max-epochs: expected a whole number', 'see rezsl fit --help'),
    ("fit --config options.yaml --run-dir new", "options.yaml", "data: {class_path: nosuch.module}", '--data: expected a class in a module that can be imported', 'for a module of the current folder add --import nosuch'),
    ("fit --config options.yaml --run-dir new", "options.yaml", "data: digits\ndata: digits", 'options.yaml: expected YAML', 'correct the file'),
    ("fit --config options.yaml --run-dir new", "options.yaml", "\t- a", 'options.yaml: expected YAML', 'correct the file'),
    ("fit --config options.yaml --run-dir new", "options.yaml", "!!python/object/apply:os.system [ls]", 'options.yaml: expected YAML', 'correct the file'),
    ("fit --config options.yaml --run-dir new", "options.yaml", a_folder, 'options.yaml: expected a YAML file', 'name a file'),
    ("fit --config options.yaml --run-dir new", "options.yaml", gone, '--config: expected a file that exists', 'see rezsl fit --help'),
    (SYN+" --max-epochs -1", None, None, '--max-epochs: expected at least 1', 'see rezsl fit --help'),
    (SYN+" --max-epochs 1.5", None, None, '--max-epochs: expected a whole number', 'see rezsl fit --help'),
    (SYN+" --batch-size 0", None, None, 'unknown option --batch-size (did you mean --batches.size?)', 'see rezsl fit --help'),
    (SYN+" --optimization.learning-rate -1", None, None, '--optimization.learning-rate: expected a positive number', 'see rezsl fit --help'),
    (SYN+" --optimization.learning-rate nan", None, None, '--optimization.learning-rate: expected a number, or auto', 'see rezsl fit --help'),
    (SYN+" --seed x", None, None, '--seed: expected a whole number', 'see rezsl fit --help'),
    (SYN+" --seed -1", None, None, '--seed: expected a whole number from 0 to 4294967295', 'see rezsl fit --help'),
    (SYN+" --model nosuch", None, None, "--model: unknown 'nosuch'", 'dap, eszsl, gem, latem, linear, mlp, sae, smoothed, sync, tf_vaegan'),
    (SYN+" --model.hidden-dim 5", None, None, '--model.hidden-dim: expected --model NAME before its options', 'name the choice too'),
    (SYN+" --model mlp --model.hidden-dim 0", None, None, '--model.hidden-dim: expected at least 1', 'see rezsl fit --help'),
    (SYN+" --loss NoLoss", None, None, "--loss: unknown 'NoLoss' (did you mean BNILoss?)", 'LDSLoss, MAELoss, MSELoss, RMSELoss, RRTLoss, ReMSELoss, null'),
    (SYN+" --loss ReMSELoss --loss.memory none", None, None, '--loss.memory: expected one of batch, running, ema', 'see rezsl fit --help'),
    (SYN+" --loss ReMSELoss --loss.class-power -1", None, None, '--loss.class-power: expected a finite number of at least 0', 'see rezsl fit --help'),
    (SYN+" --data.classes 1", None, None, '--data.classes, --data.attributes: expected at least 2 classes and 1 attribute', 'see rezsl fit --help'),
    (SYN+" --data.classes -5", None, None, '--data.classes, --data.attributes: expected at least 2 classes and 1 attribute', 'see rezsl fit --help'),
    (SYN+" --data.samples 0", None, None, '--data.samples: expected at least one of each of the 50 classes', 'make more samples or fewer classes'),
    (SYN+" --data.unknown 1", None, None, 'unknown option --data.unknown of synthetic (did you mean --data.unseen?)', 'see rezsl fit --data.help synthetic'),
    (SYN+" --nosuch 1", None, None, 'unknown option --nosuch', 'see rezsl fit --help'),
    (SYN+" stray", None, None, "unexpected argument 'stray'", 'see rezsl fit --help'),
    (SYN+" --precision 99", None, None, '--precision: expected one of 32-true, bf16-mixed, 16-mixed', 'see rezsl fit --help'),
    (SYN+" --accelerator abacus", None, None, '--accelerator: expected one of auto, cpu, gpu, mps', 'see rezsl fit --help'),
    (SYN+" --workers -1", None, None, '--workers: expected at least 0', 'see rezsl fit --help'),
    (SYN+" --report maybe", None, None, '--report: expected true or false', 'see rezsl fit --help'),
    (SYN+" --import nosuch_module", None, None, '--import: expected a module of the current folder, such as models for models.py', 'correct the name or the module'),
    ("fit", None, None, 'expected --data', 'see rezsl fit --help'),
    ("fit --data", None, None, '--data: expected a value', 'see rezsl fit --help'),
    ("fit --data nosuch", None, None, "--data: unknown 'nosuch'", 'expected apy, awa2, cub, datasets, digits, flowers, folder, gtsrb, regions, sun, synthetic, tar, xlsa17'),
    ("fit --data folder --run-dir new", None, None, 'expected --data.root of folder', 'see rezsl fit --data.help folder'),
    ("fit --data folder --data.root photos --data.unseen-share 2 --run-dir new", None, None, '--data.unseen-share: expected a number between 0 and 1', 'see rezsl fit --help'),
    ("fit --data digits --mixup -1 --run-dir new", None, None, '--mixup: expected a finite number of at least 0', 'see rezsl fit --help'),
    ("fit --data digits --word-vectors words.txt --text-encoder x --run-dir new", None, None, '--word-vectors, --text-encoder: expected one of the two', 'leave one out'),
    ("nosuch", None, None, "unknown command 'nosuch'", 'commands: demo, fit, sweep, compare, extract, evaluate, report, predict, explain, export, play, data, semantics, doctor'),
    ("data nosuch", None, None, "unknown sub-command 'nosuch' of data", 'sub-commands: check, make-splits'),
    ("predict", None, None, 'expected RUN and IMAGES', 'see rezsl predict --help'),
    ("predict run", None, None, 'expected IMAGES', 'see rezsl predict --help'),
    ("evaluate", None, None, 'expected RUN', 'see rezsl evaluate --help'),
    ("evaluate run --format xml", None, None, '--format: expected one of table, json', 'see rezsl evaluate --help'),
    ("evaluate run --foreign nowhere", None, None, 'nowhere: no such file', 'check the path'),
    ("evaluate run --foreign xlsa", None, None, 'xlsa: expected a folder with images', 'choose another folder'),
    ("data check nowhere", None, None, 'nowhere: no such folder', 'check the path'),
    ("data check a.png", None, None, 'a.png: expected a folder with a data set', 'name a folder'),
    ("data check xlsa --decode", None, None, "--decode: expected a folder of one's own images, but xlsa has no semantics.csv", 'see rezsl data check --help'),
    ("data make-splits nowhere", None, None, 'nowhere: no such folder', 'check the path'),
    ("data make-splits photos", None, None, 'photos/splits.csv: exists, and experiments may rest on it', 'move it away, or give overwrite (--overwrite)'),
    ("data make-splits photos --overwrite --unseen 0", None, None, '--unseen: every class has images and none is left out of training', 'name at least one class'),
    ("data make-splits photos --overwrite --unseen gnu", None, None, "--unseen: no class is called 'gnu'", 'expected names of semantics.csv, or a share below 1'),
    ("data make-splits photos --overwrite --group-pattern (", None, None, '--group-pattern: expected a regular expression', 'see rezsl data make-splits --help'),
    ("data make-splits photos --overwrite --seed x", None, None, '--seed: expected a whole number', 'see rezsl data make-splits --help'),
    ("demo --run-dir photos", None, None, '--run-dir: photos holds other files', 'choose another directory'),
    ("demo --run-dir a.png", None, None, '--run-dir: expected a directory', 'choose another place'),
    ("demo --seed x", None, None, '--seed: expected a whole number', 'see rezsl demo --help'),
    ("demo --run-dir nowhere --resume", None, None, '--run-dir: nowhere does not exist, so there is nothing to resume', 'check the path'),
    ("words words.txt", "words.txt", "", 'words.txt, line 1: expected a word and its numbers, with a space between', 'give a file of word vectors'),
    ("words words.txt", "words.txt", "fur 1 2\nwings 1\n", 'words.txt, line 2: expected a word and 2 numbers', 'the file may be cut short'),
    ("words words.txt", "words.txt", "fur a b\n", "words.txt, line 1, word 'fur': expected numbers, got another text (could not convert string to float: b'a')", 'correct the line'),
    ("words words.txt", "words.txt", "fur nan 1\n", "words.txt, line 1, word 'fur': expected finite numbers", 'correct the line'),
    ("words words.txt", "words.txt", "other 1 2\n", "words.txt: expected vectors of 'fur', 'wings', 'legs', 'stripes' or of the words in these names", 'give another file, or change these names'),
    ("words words.txt", "words.txt", "9 3\nfur 1 2 3\n", 'words.txt: expected 9 words, as its header says', 'copy the file again'),
    ("words words.txt", "words.txt", b"x"*(1<<21), 'words.txt, line 1: over 1048576 bytes long', 'a binary file needs the ending .bin'),
    ("words words.txt", "words.txt", gone, 'words.txt: no such file', 'check the path'),
    ("words words.txt.gz", "words.txt.gz", b"\x1f\x8b junk", 'words.txt.gz: expected a file of word vectors', 'give another file, or copy it again'),
    ("words words.txt.gz", "words.txt.gz", cut(20), 'words.txt.gz: expected a file of word vectors', 'give another file, or copy it again'),
    ("words words.bin", "words.bin", "", "words.bin: expected word2vec's header 'count dimension'", 'give a binary file of word2vec'),
    ("words words.bin", "words.bin", cut(30), 'words.bin: expected 4 words of 3 numbers, as its header says', 'copy the file again, it is cut short or damaged'),
    ("words words.bin", "words.bin", b"4 3\n"+b"a"*99, 'words.bin: expected 4 words of 3 numbers, as its header says', 'copy the file again, it is cut short or damaged'),
    ("words words.bin", "words.bin", b"9999999999 999999999\nfur ", 'words.bin: expected 9999999999 words of 999999999 numbers, as its header says', 'copy the file again, it is cut short or damaged'),
    ("words words.csv", "words.csv", "", 'words.csv: expected lines of a word and its numbers', 'copy the file again'),
    ("words words.csv", "words.csv", "fur,1,2\nwings,1\n", 'words.csv, line 2: expected a word and 2 numbers', 'correct the line'),
    ("words words.csv", "words.csv", b"\xff\xfe,1\n", 'words.csv: expected comma-separated text', 'save it as UTF-8'),
    ("words words.npy", "words.npy", npy(np.ones((2,3))), "words.npy: expected numbers of shape (4, L), one row per attribute in the table's order", 'save a row for each'),
    ("words words.npy", "words.npy", npy(np.full((4,3),NAN)), "words.npy, row 1, attribute 'fur': expected finite numbers", 'correct the row'),
    ("words words.npy", "words.npy", b"", 'words.npy: expected arrays of numbers and text without pickled objects', 'write it with numpy.savez(path, names=numpy.array(names, dtype=str), vectors=vectors)'),
    ("words words.npz", "words.npz", npz(names=np.array(["a"]),vectors=np.ones((2,3))), "words.npz: expected text 'names' of shape (N,) and numbers 'vectors' of shape (N, L)", 'save them so'),
    ("words words.npz", "words.npz", npz(a=np.ones(1),b=np.ones(1)), "words.npz: expected the arrays 'names' and 'vectors', or one array", 'write it with numpy.savez(path, names=numpy.array(names, dtype=str), vectors=vectors)'),
    ("words words.npz", "words.npz", npz(names=np.array([1,2]),vectors=np.ones((2,3))), "words.npz: expected text 'names' of shape (N,) and numbers 'vectors' of shape (N, L)", 'save them so'),
    ("words words.pkl", "words.pkl", lambda p:p.write_bytes(b"\x80\x04."), 'words.pkl: expected a file of word vectors (.npy, .npz, .csv, .bin, .txt)', "where you trust it, write its rows with numpy.save('vectors.npy', vectors)"),
    ("predictions p.npz", "p.npz", b"", 'p.npz: expected a NumPy file of numbers', 'write it again with numpy.savez'),
    ("predictions p.npz", "p.npz", cut(200), 'p.npz: expected a NumPy file of numbers', 'write it again with numpy.savez'),
    ("predictions p.npz", "p.npz", npz(labels=np.ones(3)), "p.npz: expected an array 'predictions'", 'save it too'),
    ("predictions p.npz", "p.npz", npz(predictions=np.ones((3,4))), "p.npz: expected an array 'labels'", 'save it too'),
    ("predictions p.npz", "p.npz", npz(predictions=np.ones((3,2)),labels=np.array([1,2,3])), 'p.npz: predictions: expected samples × 4 numbers', 'save a row per sample'),
    ("predictions p.npz", "p.npz", npz(predictions=np.ones((3,4)),labels=np.array([1,2,99])), "p.npz: labels: expected numbers in [0, 6), positions in 'classes' or else in the semantics table", 'save names instead of numbers'),
    ("predictions p.npz", "p.npz", npz(predictions=np.ones((3,4)),labels=np.array(["gnu"]*3)), "p.npz: classes: expected rows for 'gnu'", 'add a row for each to the table'),
    ("predictions p.npz", "p.npz", npz(predictions=np.full((3,4),NAN),labels=np.array([1,2,3])), 'p.npz: predictions: expected finite numbers', 'correct the row, or leave it out'),
    ("predictions p.npz", "p.npz", npz(predictions=np.ones((3,4)),labels=np.ones((3,3))), 'p.npz: labels: expected a class number or name per sample', 'save one for each'),
    ("predictions p.npz", "p.npz", npz(predictions=np.ones((0,4)),labels=np.array([],int)), 'p.npz: predictions: expected at least one sample', 'give some'),
    ("predictions p.npz", "p.npz", npz(predictions=np.ones((3,4)),labels=np.array([1,2,3]),attributes=np.array(["a","b","c","d"])), 'p.npz: attributes: expected the 4 names of the semantics table', 'save those of the table'),
    ("predictions p.npz", "p.npz", npz(predictions=np.ones((3,4)),labels=np.array([1,2,3]),scores=np.ones((3,2))), 'p.npz: scores: expected samples × 6 numbers', 'save a row per sample'),
    ("predictions p.txt", "p.txt", lambda p:p.write_text("a"), 'p.txt: expected a NumPy file, .npz or .npy', 'write them with numpy.savez'),
    ("read_tensors a.st", "a.st", lambda p:p.write_bytes(b""), 'a.st: expected tensors in the format of safetensors', 'restore the file from a copy'),
    ("read_tensors a.st", "a.st", lambda p:p.write_bytes(b"\xff"*8+b"{}"), 'a.st: expected tensors in the format of safetensors', 'restore the file from a copy'),
    ("read_tensors a.st", "a.st", lambda p:p.write_bytes((2).to_bytes(8,"little")+b"[]"), 'a.st: expected tensors in the format of safetensors', 'restore the file from a copy'),]  # fmt: skip


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world, which is built once."""
    root = tmp_path_factory.mktemp("world")
    world.build(root)
    return root


@pytest.fixture
def here(valid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the world, in which the test stands."""
    shutil.copytree(valid, tmp_path / "w")
    monkeypatch.chdir(tmp_path / "w")
    yield tmp_path / "w"
    os.chdir(valid)


def message_of(call: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the message with which a command or a function refuses its input."""
    words = call.replace("%s", TOY).split()
    if words[0] in PYTHON:
        with pytest.raises(RezslError) as refused:
            PYTHON[words[0]](words[1])
        return str(refused.value)
    assert main(words) == USER_ERROR
    # Lines of progress may stand before the error.
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("rezsl: error: ")]
    assert len(lines) == 1
    return lines[0].removeprefix("rezsl: error: ")


@pytest.mark.parametrize(
    ("call", "file", "content", "begin", "end"),
    CASES,
    ids=[f"{number} {call[:40]} {file or ''}" for number, (call, file, *_) in enumerate(CASES)],
)
def test_a_broken_input_is_one_clear_line(
    here: Path, capsys: pytest.CaptureFixture[str], call: str, file: str | None, content: Any, begin: str, end: str
) -> None:
    if file is not None and content is not None:
        path = here / file
        if callable(content):
            content(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    message = message_of(call, capsys).replace(f" in {here}", "").replace(f"{here}/", "")
    assert time.process_time() - start < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEBIBYTES << 10  # KiB
    assert "\n" not in message
    assert "Traceback" not in message
    assert len(message) < 700
    assert message.startswith(begin)
    assert message.endswith(end)
    # What came is a value, or that nothing is there.
    assert CAME.search(message)
    assert not Path("new/metrics.json").exists()


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 120
    assert len({(call, file, str(content)) for call, file, content, *_ in CASES}) > 0.9 * len(CASES)
