/* Making the data folder: the same for every command that a new server may begin with. */
#include "folders.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"

static enum status
make_folder(const char *path, struct fault *ret_fault)
{
	struct stat info;

	if (mkdir(path, 0700) == 0) {
		printf("made %s\n", path);
		return OK;
	}
	if (errno == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
		return OK;
	return fault_set(ret_fault, ERR_UNAVAILABLE, "folder", NULL, "Cannot make the folder %s: %s.", path,
			 strerror(errno));
}

enum status
folders_make(struct config *config, struct fault *ret_fault)
{
	static const char *const folders[] = {"keys", "run", "log"};

	TRY(make_folder(config->data, ret_fault));
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		TRY(make_folder(arena_printf(&config->arena, "%s/%s", config->data, folders[i]), ret_fault));
	return OK;
}
