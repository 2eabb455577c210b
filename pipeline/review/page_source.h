/* The page's parts as they lie in this folder, NUL-terminated. */
#ifndef AUTEUR_PIPELINE_REVIEW_PAGE_SOURCE_H
#define AUTEUR_PIPELINE_REVIEW_PAGE_SOURCE_H

extern const char page_source_html[], page_source_css[], page_source_js[];

#endif
