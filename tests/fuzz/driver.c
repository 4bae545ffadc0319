/*
 * Runs a fuzz target over stored inputs, as a plain test without a fuzzer.
 *
 * Each argument is a file or a folder of files. Each file is given to LLVMFuzzerTestOneInput once
 * whole, then cut to half its length, and once without its last byte; then comes the empty input.
 * The input is copied into a block of exactly its size, so that a sanitizer sees a read past its
 * end. The name of each file is printed first: when the target crashes, the last name is the cause.
 * No input at all is a failure, because such a test would prove nothing.
 */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long input_count;

static void
run_prefix(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL) {
        printf("no memory for %zu bytes\n", size);
        exit(1);
    }
    if (size > 0)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static uint8_t *
read_whole(const char *path, size_t size)
{
    uint8_t *data = malloc(size > 0 ? size : 1);
    FILE *file = fopen(path, "rb");

    if (data == NULL || file == NULL || fread(data, 1, size, file) != size) {
        printf("cannot read %s\n", path);
        exit(1);
    }
    fclose(file);
    return data;
}

static void
run_file(const char *path, size_t size)
{
    uint8_t *data = read_whole(path, size);

    printf("%s\n", path);
    fflush(stdout);
    run_prefix(data, size);
    if (size > 0) {
        run_prefix(data, size - 1);
        run_prefix(data, size / 2);
    }
    input_count++;
    free(data);
}

static void
run_folder(const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        char file[4096];
        struct stat info;
        int length = snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);

        if (length > 0 && (size_t)length < sizeof file && stat(file, &info) == 0 &&
            S_ISREG(info.st_mode))
            run_file(file, (size_t)info.st_size);
        free(entries[i]);
    }
    free(entries);
}

int
main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct stat info;

        if (stat(argv[i], &info) != 0)
            printf("%s: no such file or folder\n", argv[i]);
        else if (S_ISDIR(info.st_mode))
            run_folder(argv[i]);
        else
            run_file(argv[i], (size_t)info.st_size);
    }
    run_prefix((const uint8_t *)"", 0);
    printf("%lu inputs\n", input_count);
    return input_count > 0 ? 0 : 1;
}
