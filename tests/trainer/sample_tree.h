/* sample_tree.h - a folder of small samples, and breaking them. */
#ifndef TESTS_TRAINER_SAMPLE_TREE_H
#define TESTS_TRAINER_SAMPLE_TREE_H

#include <stddef.h>

enum { TREE_T = 2, TREE_H = 4, TREE_W = 4, TREE_N_MFCC = 3, TREE_COLUMNS = 5 };

/* A new temporary folder, in name[64]. */
void tree_new(char *name);

/* Removes a folder and everything in it. */
void tree_remove(const char *name);

/* FOLDER/PATH/{frames.npy,mfcc.npy,label.txt}, every byte and value of it `fill`. */
void tree_sample(const char *folder, const char *path, const char *label, int fill);

/* Replaces or adds one file. */
void tree_file(const char *folder, const char *path, const void *data, size_t len);

#endif
